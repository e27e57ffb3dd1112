import { authenticatorKit, extensionKit } from '@rystra/testkit'
import authJwt from '../src/index.js'
import { forgedHmac, overTls } from './setup.js'

const secret = 'a secret of both ends, 32 bytes at least'
const claims = { sub: 'home', exp: 4_102_444_800 }
const header = { alg: 'HS256' }
const issuers = [{ secret }]

authenticatorKit(
  {
    server: authJwt({ issuers }),
    client: authJwt({ token: forgedHmac(header, claims, secret) }),
    unauthorized: authJwt({ token: forgedHmac(header, claims, 'a secret that the server does not know') }),
    empty: authJwt(),
    identity: 'home',
    peer: overTls()
  },
  { title: 'auth-jwt as an authenticator' }
)

extensionKit(
  {
    use: authJwt({ issuers, token: forgedHmac(header, claims, secret) }),
    failing: authJwt({
      file: '/no/such/token',
      issuers: [{ secretFile: '/no/such' }]
    }),
    invalid: {
      'a token that is not valid': { token: 'secret', issuers: [{ secret: 'short' }] },
      'no algorithm': { issuers: [{ secret, algorithms: [] }] },
      'algorithm none': { issuers: [{ secret, algorithms: ['none'] }] },
      'a claim of a type that cannot be compared': { issuers: [{ secret, claims: { sub: ['a'] } }] },
      'a fetch longer than a handshake': { issuers: [{ secret, jwksCache: { timeout: 60_000 } }] }
    }
  },
  { title: 'auth-jwt as an extension' }
)
