import { fingerprintOf, type KeyPair, selfSigned } from '@rystra/certificates'
import type { Side, Transport } from '@rystra/plugin'
import { extensionKit, SECURE_SUBSET, setUpExtension, transportKit } from '@rystra/testkit'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportHttp2 from '../src/index.js'

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-http2-kit-'))
let pair: KeyPair

before(async () => {
  pair = await selfSigned({ keyType: 'ec', commonName: 'kit', names: ['localhost'] })
  writeFileSync(path.join(dir, 'cert.pem'), pair.cert)
  writeFileSync(path.join(dir, 'key.pem'), pair.key)
})

after(() => rmSync(dir, { recursive: true, force: true }))

transportKit(
  { transport: transportHttp2(), name: 'h2c', links: 'streams' },
  { title: 'transport-http2 as a transport, without TLS' }
)

transportKit(
  {
    transport: (side: Side) => {
      const setUp = setUpExtension(transportHttp2(), side, { dir, stateDir: dir })
      const found = (setUp.registered('transports') as Transport[]).find(({ name }) => name === 'http2')
      return found as Transport
    },
    listen: { cert: 'cert.pem', key: 'key.pem' },
    get dial() {
      return { fingerprint: fingerprintOf(pair.cert) }
    },
    links: 'streams',
    secure: true
  },
  { title: 'transport-http2 as a transport, with TLS', only: SECURE_SUBSET }
)

/** Cases of dials and of peers that are no client: no stream carries anything there, in chunks or not. */
const DIALS =
  /raw peers|many links|storm of dials|dial up|refuses a dial|two ports|closed twice|listen(s|ing) when|does not listen|port 0/
const streams = transportKit.cases.map(({ name }) => name).filter((name) => !DIALS.test(name))

// As behind a proxy that speaks HTTP/2: what the server says of itself is not what the client has said.
transportKit(
  { transport: transportHttp2(), name: 'h2c', dial: { headers: { 'rystra-hop': '0' } }, links: 'streams' },
  { title: 'transport-http2 as a transport, in chunks', only: streams }
)

extensionKit(
  { use: transportHttp2(), invalid: { 'no window': { window: 0 }, 'no streams': { maxStreams: 0 } } },
  { title: 'transport-http2 as an extension' }
)
