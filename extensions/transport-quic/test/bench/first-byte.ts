/** Milliseconds from a dial to the first byte at the server, without a ticket and with one: see the README of the package. */
import { fingerprintOf, selfSigned } from '@rystra/certificates'
import { SharedPorts } from '@rystra/net'
import type { Side, StreamLink, Transport } from '@rystra/plugin'
import { setUpExtension } from '@rystra/testkit'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportQuic from '../../src/index.js'

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-quic-bench-'))
const transport = (side: Side): Transport =>
  setUpExtension(transportQuic(), side, { dir, stateDir: dir }).registered('transports')[0] as Transport

const pair = await selfSigned({ commonName: 'bench', names: ['localhost'] })
writeFileSync(path.join(dir, 'cert.pem'), pair.cert)
writeFileSync(path.join(dir, 'key.pem'), pair.key)
const { signal } = new AbortController()
let came = (): void => {}
const listener = await transport('server').listen(
  { transport: 'quic', host: '127.0.0.1', port: 0, cert: 'cert.pem', key: 'key.pem' },
  (link) => {
    ;(link as StreamLink).onStream = (stream) => {
      stream.on('error', () => {})
      stream.on('data', () => came())
    }
  },
  signal,
  new SharedPorts()
)
const client = transport('client')
const { port } = listener.address
for (let round = 0; round < 5; round++) {
  const first = new Promise<void>((resolve) => {
    came = resolve
  })
  const begin = performance.now()
  const to = { transport: 'quic', host: '127.0.0.1', port, fingerprint: fingerprintOf(pair.cert) }
  const link = (await client.dial(to, signal)) as StreamLink
  const stream = await link.open()
  stream.on('error', () => {})
  stream.write('hello')
  await first
  console.log(`${round === 0 ? 'without' : 'with'} a ticket: ${(performance.now() - begin).toFixed(1)} ms`)
  // The ticket comes with the end of the handshake.
  await new Promise((resolve) => setTimeout(resolve, 500))
  const over = new Promise((resolve) => {
    link.onClose = resolve
  })
  link.close()
  await over
}
await listener.close()
rmSync(dir, { recursive: true, force: true })
