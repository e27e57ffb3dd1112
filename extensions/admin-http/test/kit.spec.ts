import { extensionKit } from '@rystra/testkit'
import adminHttp from '../src/index.js'

const token = 'a-token-of-the-kit-0123'

extensionKit(
  {
    use: adminHttp({
      socket: false,
      listen: [{ host: '127.0.0.1', port: 0 }],
      tokens: [{ name: 'a', token, scope: 'read' }]
    }),
    invalid: {
      'a short token': { tokens: [{ name: 'a', token: 'short', scope: 'read' }] },
      'a scope that does not exist': { tokens: [{ name: 'a', token, scope: 'root' }] },
      'two tokens of one name': {
        tokens: [
          { name: 'a', token },
          { name: 'a', token }
        ]
      },
      'clear text for other machines': { listen: [{ host: '0.0.0.0', port: 0 }] },
      'a port that does not exist': { listen: [{ port: 70_000 }] },
      'no connections': { connections: 0 }
    }
  },
  { title: 'admin-http as an extension' }
)
