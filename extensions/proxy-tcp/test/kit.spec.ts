import { extensionKit, proxyKindKit } from '@rystra/testkit'
import proxyTcp from '../src/index.js'

const spec = (local: string, more: Record<string, unknown> = {}) => ({ name: 'web', kind: 'tcp', local, ...more })

proxyKindKit(
  {
    kind: proxyTcp(),
    spec,
    invalid: {
      'a range without another': spec('127.0.0.1:8000', { port: '9000-9001' }),
      'ranges of two lengths': spec('127.0.0.1:8000-8001', { port: '9000-9005' }),
      'a range that ends before it begins': spec('127.0.0.1:8001-8000'),
      'a port that there is not': spec('127.0.0.1:8000', { port: 65_536 }),
      'no service': { name: 'web', kind: 'tcp' }
    }
  },
  { title: 'proxy-tcp as a kind of proxy' }
)

extensionKit({ use: proxyTcp() }, { title: 'proxy-tcp as an extension' })
