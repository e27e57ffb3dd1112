import { extensionKit } from '@rystra/testkit'
import hookAcl from '../src/index.js'

extensionKit(
  {
    use: hookAcl({ rules: [{ tenant: 'a', deny: false, ports: ['20000-20099'] }] }),
    roles: ['server'],
    invalid: {
      'a default that is not valid': { default: 'maybe' },
      'a field that no rule has': { rules: [{ host: ['x'] }] },
      'ports that are not valid': { rules: [{ ports: ['a-b'] }] },
      'a quota below 0': { rules: [{ quotas: { proxies: -1 } }] },
      'bytes that are not valid': { rules: [{ quotas: { bytesPerDay: 'much' } }] }
    }
  },
  { title: 'hook-acl as an extension' }
)
