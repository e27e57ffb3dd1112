import { fingerprintOf, type KeyPair, selfSigned } from '@rystra/certificates'
import type { Side, Transport } from '@rystra/plugin'
import { extensionKit, setUpExtension, transportKit } from '@rystra/testkit'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportQuic from '../src/index.js'

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-quic-kit-'))
let pair: KeyPair

before(async () => {
  pair = await selfSigned({ commonName: 'kit', names: ['localhost'] })
  writeFileSync(path.join(dir, 'cert.pem'), pair.cert)
  writeFileSync(path.join(dir, 'key.pem'), pair.key)
})

after(() => rmSync(dir, { recursive: true, force: true }))

/** Cuts are noticed soon, and large packets spare a machine that both ends are on. */
const options = { idleTimeout: 2500, keepAlive: 500, rebindAfter: 500, maxPacket: 16_000 }

const transport = (side: Side): Transport =>
  setUpExtension(transportQuic(options), side, { dir, stateDir: dir }).registered('transports')[0] as Transport

transportKit(
  {
    transport,
    listen: { cert: 'cert.pem', key: 'key.pem' },
    get dial() {
      return { fingerprint: fingerprintOf(pair.cert) }
    },
    links: 'streams',
    datagrams: true,
    network: 'udp',
    secure: true
  },
  { title: 'transport-quic as a transport' }
)

extensionKit(
  {
    use: transportQuic(),
    invalid: { 'packets that are too small': { maxPacket: 1000 }, 'no streams': { maxStreams: 0 } }
  },
  { title: 'transport-quic as an extension' }
)
