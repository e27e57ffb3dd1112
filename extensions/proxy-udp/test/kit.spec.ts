import { extensionKit, proxyKindKit } from '@rystra/testkit'
import proxyUdp from '../src/index.js'

const spec = (local: string, more: Record<string, unknown> = {}) => ({ name: 'dns', kind: 'udp', local, ...more })

for (const native of [true, false]) {
  proxyKindKit(
    {
      kind: proxyUdp({ native }),
      spec,
      carries: 'datagrams',
      invalid: {
        'no service': { name: 'dns', kind: 'udp' },
        'a service without a port': spec('127.0.0.1'),
        'a port that there is not': spec('127.0.0.1:65536'),
        'a path': spec('unix:/run/dns.sock'),
        'a group': spec('127.0.0.1:53', { group: 'dns' }),
        'a health check': spec('127.0.0.1:53', { healthCheck: {} })
      }
    },
    { title: `proxy-udp as a kind of proxy, native part ${native ? 'on' : 'off'}` }
  )
}

extensionKit({ use: proxyUdp() }, { title: 'proxy-udp as an extension' })
