import { fingerprintOf, type KeyPair, selfSigned } from '@rystra/certificates'
import type { Side, Transport } from '@rystra/plugin'
import { CUT_CASES, extensionKit, setUpExtension, transportKit, type TransportSubject } from '@rystra/testkit'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportQuic from '../src/index.js'

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-quic-kit-'))
let pair: KeyPair

before(async () => {
  pair = await selfSigned({ keyType: 'ec', commonName: 'kit', names: ['localhost'] })
  writeFileSync(path.join(dir, 'cert.pem'), pair.cert)
  writeFileSync(path.join(dir, 'key.pem'), pair.key)
})

after(() => rmSync(dir, { recursive: true, force: true }))

const WITHOUT_NATIVE = [
  'carries 8388608 bytes each way at once',
  'refuses a dial to a port without a listener',
  'frees its address when it is closed',
  'leaves nothing open when all is over',
  'is not disturbed by raw peers that send garbage',
  'carries many streams at once, each its own bytes'
]

const subject = (options: Parameters<typeof transportQuic>[0]): TransportSubject => ({
  transport: (side: Side) =>
    setUpExtension(transportQuic(options), side, { dir, stateDir: dir }).registered('transports')[0] as Transport,
  listen: { cert: 'cert.pem', key: 'key.pem' },
  get dial() {
    return { fingerprint: fingerprintOf(pair.cert) }
  },
  links: 'streams',
  datagrams: true,
  network: 'udp',
  secure: true
})

/** Large packets spare a machine that both ends are on. */
const options = { maxPacket: 16_000 }

transportKit(subject(options), {
  title: 'transport-quic as a transport',
  only: transportKit.cases.map(({ name }) => name).filter((name) => !CUT_CASES.includes(name))
})

// The sockets of Node, where the native part is used otherwise: what carries, holds back, and ends.
transportKit(subject({ ...options, native: false }), {
  title: 'transport-quic as a transport, native part off',
  only: WITHOUT_NATIVE
})

// A timeout this short also ends good links of a machine that is busy for as long, so nothing else is tested with it.
transportKit(subject({ ...options, idleTimeout: 2500, keepAlive: 500, rebindAfter: 500 }), {
  title: 'transport-quic as a transport that notices cuts soon',
  only: CUT_CASES
})

extensionKit(
  {
    use: transportQuic(),
    invalid: { 'packets that are too small': { maxPacket: 1000 }, 'no streams': { maxStreams: 0 } }
  },
  { title: 'transport-quic as an extension' }
)
