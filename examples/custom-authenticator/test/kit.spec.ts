import { authenticatorKit, extensionKit } from '@rystra/testkit'
import authScram from '../src/index.js'

const password = 'a password of both ends'
const iterations = 1000
const server = authScram({ users: { laptop: password }, iterations })

authenticatorKit(
  {
    server,
    client: authScram({ name: 'laptop', password }),
    unauthorized: authScram({ name: 'laptop', password: 'another password' }),
    empty: authScram({ iterations }),
    identity: 'laptop'
  },
  { title: 'auth-scram as an authenticator' }
)

extensionKit(
  { use: server, invalid: { 'too few iterations': { iterations: 999 }, 'an empty password': { password: '' } } },
  { title: 'auth-scram as an extension' }
)
