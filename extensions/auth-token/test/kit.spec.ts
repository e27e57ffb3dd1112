import { authenticatorKit, extensionKit } from '@rystra/testkit'
import authToken from '../src/index.js'

const token = 'correct horse battery staple'

authenticatorKit(
  {
    server: authToken({
      tokens: [
        { identity: 'home', token },
        { identity: 'office', token: `${token}s` }
      ]
    }),
    client: authToken({ token }),
    unauthorized: authToken({ token: 'a token that the server does not know' }),
    empty: authToken(),
    identity: 'home'
  },
  { title: 'auth-token as an authenticator' }
)

extensionKit(
  {
    use: authToken({ token, tokens: [{ identity: 'home', token }] }),
    failing: authToken({ file: '/no/such/file' }),
    invalid: {
      'an empty token': { token: '' },
      'a blank token': { token: '   ' },
      'a token of the wrong type': { token: 7 },
      'a token and a file': { token, file: '/x' },
      'a token without an identity': { tokens: [{ token }] },
      'the same token twice': { tokens: ['a', 'b'].map((identity) => ({ identity, token })) }
    }
  },
  { title: 'auth-token as an extension' }
)
