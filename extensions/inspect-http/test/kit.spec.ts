import { extensionKit } from '@rystra/testkit'
import inspect from '../src/index.js'

extensionKit(
  {
    use: inspect({ exchanges: 10 }),
    invalid: {
      'no exchange at all': { exchanges: 0 },
      'an empty list of proxies': { proxies: [] },
      'less memory than a body': { memory: 1 },
      'a pattern that is empty': { mask: [''] }
    }
  },
  { title: 'inspect-http as an extension' }
)
