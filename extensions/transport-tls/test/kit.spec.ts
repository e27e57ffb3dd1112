import { fingerprintOf, type KeyPair, selfSigned } from '@rystra/certificates'
import type { Side, Transport } from '@rystra/plugin'
import { extensionKit, SECURE_SUBSET, setUpExtension, transportKit } from '@rystra/testkit'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import transportTls from '../src/index.js'

const dir = mkdtempSync(path.join(tmpdir(), 'rystra-tls-kit-'))
const own = mkdtempSync(path.join(tmpdir(), 'rystra-tls-kit-'))
let pair: KeyPair
let ownFingerprint = ''

before(async () => {
  pair = await selfSigned({ keyType: 'ec', commonName: 'kit', names: ['localhost'] })
  writeFileSync(path.join(dir, 'cert.pem'), pair.cert)
  writeFileSync(path.join(dir, 'key.pem'), pair.key)
})

after(() => {
  for (const each of [dir, own]) rmSync(each, { recursive: true, force: true })
})

const transport = (folder: string) => (side: Side) => {
  const setUp = setUpExtension(transportTls(), side, { dir: folder, stateDir: folder })
  return setUp.registered('transports')[0] as Transport
}

transportKit(
  {
    transport: transport(dir),
    listen: { cert: 'cert.pem', key: 'key.pem' },
    get dial() {
      return { fingerprint: fingerprintOf(pair.cert) }
    },
    secure: true
  },
  { title: 'transport-tls as a transport, with a certificate that is given and pinned' }
)

transportKit(
  {
    transport: (side) => {
      const made = transport(own)(side)
      return {
        ...made,
        listen: async (...args) => {
          const listener = await made.listen(...args)
          ownFingerprint = listener.join?.['fingerprint'] ?? ''
          return listener
        }
      }
    },
    get dial() {
      return { fingerprint: ownFingerprint }
    },
    secure: true
  },
  { title: 'transport-tls as a transport, with the certificate it makes for itself', only: SECURE_SUBSET }
)

extensionKit(
  { use: transportTls(), invalid: { 'no time at all': { handshakeTimeout: 0 }, 'no handshakes': { handshakes: 0 } } },
  { title: 'transport-tls as an extension' }
)
