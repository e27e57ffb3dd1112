import { authenticatorKit, extensionKit } from '@rystra/testkit'
import authMtls from '../src/index.js'
import { authority, certificate, now } from './made.js'
import { peerWith } from './setup.js'

const ca = authority()
// The kit's clock is not that of these certificates: they are good for as long as any.
const wide = { notBefore: 0, notAfter: now * 2 }
const known = certificate(ca, { ...wide, subject: [['CN', 'home']] })
const unknown = certificate(ca, { ...wide, subject: [['CN', 'unauthorized']] })
const rules = [{ subject: { CN: 'home' }, id: '{subject.CN}' }]

authenticatorKit(
  {
    server: authMtls({ rules }),
    client: authMtls(),
    unauthorized: authMtls(),
    empty: authMtls(),
    identity: 'home',
    peer: peerWith(known.der),
    unauthorizedPeer: peerWith(unknown.der)
  },
  { title: 'auth-mtls as an authenticator' }
)

extensionKit(
  {
    use: authMtls({ rules, revoked: ['serial:0a'] }),
    failing: authMtls({ rules, crl: ['/no/such/list'], ca: ['/no/such/authority'] }),
    invalid: {
      'a rule without an id': { rules: [{ san: 'email:*' }] },
      'a name of a kind that there is not': { rules: [{ san: 'ip:10.0.0.1', id: 'x' }] },
      'an attribute that there is not': { rules: [{ subject: { XN: 'a' }, id: 'x' }] },
      'a fingerprint that is too short': { rules: [{ fingerprint: 'sha256:00', id: 'x' }] },
      'a revocation that is no number': { revoked: ['no number'] }
    }
  },
  { title: 'auth-mtls as an extension' }
)
