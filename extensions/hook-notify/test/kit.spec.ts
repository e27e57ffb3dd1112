import { extensionKit } from '@rystra/testkit'
import notify from '../src/index.js'

extensionKit(
  {
    use: notify({
      targets: [
        { webhook: 'https://hooks.example.org/rystra', secret: 'a secret of 16 characters' },
        { command: ['true'] }
      ]
    } as never),
    invalid: {
      'no targets': { targets: [] },
      'a target that is neither': { targets: [{}] },
      'a URL of another scheme': { targets: [{ webhook: 'file:///etc/passwd' }] },
      'a URL without a host': { targets: [{ webhook: 'http://' }] },
      'a command as one text': { targets: [{ command: 'true --now' }] },
      'a type of event that does not exist': { targets: [{ command: ['true'], events: ['client.away'] }] },
      'a short secret': { targets: [{ webhook: 'https://x.example', secret: 'short' }] },
      'a header with a line break': { targets: [{ webhook: 'https://x.example', headers: { a: 'b\r\nc: d' } }] },
      'a threshold of nothing': { targets: [{ command: ['true'] }], refusals: { count: 0 } }
    }
  },
  { title: 'hook-notify as an extension' }
)
