/**
 * One stream of 200 MB between two processes, or the time until the first byte: see the README of the package.
 *
 *     npx tsx test/bench/throughput.ts [MB] [maxPacket]
 */
import { rawOf } from '@rystra/bytes'
import { fingerprintOf, selfSigned } from '@rystra/certificates'
import type { Side, StreamLink, Transport } from '@rystra/plugin'
import { setUpExtension } from '@rystra/testkit'
import { SharedPorts } from '@rystra/net'
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportQuic from '../../src/index.js'

const MB = 1_000_000
const CHUNK = 256 * 1024

const transportOf = (side: Side, dir: string, maxPacket: number): Transport =>
  setUpExtension(transportQuic({ maxPacket, ...JSON.parse(process.env['QUIC_OPTIONS'] ?? '{}') }), side, {
    dir,
    stateDir: dir
  }).registered('transports')[0] as Transport

interface Ready {
  readonly port: number
}

/** The child: takes streams, and says how many bytes came before the end of each. */
const serve = async (dir: string, maxPacket: number): Promise<void> => {
  const onLink = (link: unknown): void => {
    ;(link as StreamLink).onStream = (stream) => {
      const raw = rawOf(stream)
      let bytes = 0
      raw.read({
        onBytes: (_buffer, start, end) => {
          bytes += end - start
          return true
        },
        onEnd: () => {
          raw.write(Buffer.from(String(bytes)), 0, String(bytes).length, false)
          raw.end()
        }
      })
    }
  }
  const listener = await transportOf('server', dir, maxPacket).listen(
    { transport: 'quic', host: '127.0.0.1', port: 0, cert: 'cert.pem', key: 'key.pem' },
    onLink,
    new AbortController().signal,
    new SharedPorts()
  )
  process.send?.({ port: listener.address.port } satisfies Ready)
  process.once('disconnect', () => process.exit())
}

const send = (link: StreamLink, total: number): Promise<number> =>
  new Promise((resolve, reject) => {
    void link.open().then((stream) => {
      const raw = rawOf(stream)
      const chunk = Buffer.alloc(CHUNK, 7)
      let left = total
      const begin = performance.now()
      const more = (): void => {
        while (left > 0) {
          const size = Math.min(left, CHUNK)
          left -= size
          if (!raw.write(chunk, 0, size, false)) return
        }
        raw.end()
      }
      let answer = ''
      raw.onWritable = more
      raw.onClose = (error) => error !== undefined && reject(error)
      raw.read({
        onBytes: (buffer, start, end) => {
          answer += buffer.toString('latin1', start, end)
          return true
        },
        onEnd: () =>
          Number(answer) === total ? resolve(performance.now() - begin) : reject(new Error(`came: ${answer}`))
      })
      more()
    })
  })

const main = async (): Promise<void> => {
  const [megabytes = '200', maxPacket = '1350'] = process.argv.slice(2)
  const dir = mkdtempSync(path.join(tmpdir(), 'rystra-quic-bench-'))
  const pair = await selfSigned({ commonName: 'bench', names: ['localhost'] })
  writeFileSync(path.join(dir, 'cert.pem'), pair.cert)
  writeFileSync(path.join(dir, 'key.pem'), pair.key)
  const child: ChildProcess = fork(process.argv[1] as string, ['serve', dir, maxPacket])
  try {
    const { port } = await new Promise<Ready>((resolve) => child.once('message', (ready) => resolve(ready as Ready)))
    const to = { transport: 'quic', host: '127.0.0.1', port, fingerprint: fingerprintOf(pair.cert) }
    const link = (await transportOf('client', dir, Number(maxPacket)).dial(
      to,
      new AbortController().signal
    )) as StreamLink
    for (let run = 0; run < 3; run++) {
      const cpu = process.cpuUsage()
      const ms = await send(link, Number(megabytes) * MB)
      const { user, system } = process.cpuUsage(cpu)
      console.log(
        `${megabytes} MB, packets of ${maxPacket}: ${(Number(megabytes) / (ms / 1000)).toFixed(1)} MB/s, sender ${((user + system) / 1000).toFixed(0)} ms of CPU`
      )
    }
    link.close()
  } finally {
    child.disconnect()
    rmSync(dir, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'serve') await serve(process.argv[3] as string, Number(process.argv[4]))
else await main()
