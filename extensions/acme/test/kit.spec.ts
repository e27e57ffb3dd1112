import { extensionKit } from '@rystra/testkit'
import acme from '../src/index.js'

const valid = { hosts: ['*.example.org'], termsOfServiceAgreed: true }

extensionKit(
  {
    use: acme(valid),
    failing: acme({ ...valid, ca: 'there-is-no-such-file.pem' }),
    roles: ['server'],
    invalid: {
      'no hosts': { termsOfServiceAgreed: true },
      'an empty list of hosts': { ...valid, hosts: [] },
      'a directory without TLS': { ...valid, directory: 'http://acme.example.org/directory' },
      'a challenge that is not available': { ...valid, challenges: ['dns-01'] },
      'an external account without a key': { ...valid, externalAccount: { keyId: 'a' } },
      'no orders at all': { ...valid, ordersPerHour: 0 }
    }
  },
  { title: 'acme as an extension' }
)
