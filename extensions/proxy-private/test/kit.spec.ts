import { extensionKit, proxyKindKit } from '@rystra/testkit'
import proxyPrivate from '../src/index.js'

const secret = 'a secret of some length'
const spec = (local: string, more: Record<string, unknown> = {}) => ({
  name: 'db',
  kind: 'private',
  local,
  secret,
  ...more
})

proxyKindKit(
  {
    kind: proxyPrivate(),
    spec,
    visitor: ({ name }) => ({ name: 'way', kind: 'private', of: name, secret, bind: 0 }),
    invalid: {
      'no service': { name: 'db', kind: 'private', secret },
      'a service without a port': spec('127.0.0.1'),
      'a port that there is not': spec('127.0.0.1:65536'),
      'port 0': spec('127.0.0.1:0'),
      'neither secret nor allow': { name: 'db', kind: 'private', local: '127.0.0.1:1' },
      'two secrets': spec('127.0.0.1:1', { secretFile: '/dev/null' }),
      'an empty secret': spec('127.0.0.1:1', { secret: '' }),
      'a file that is not there': spec('127.0.0.1:1', { secret: undefined, secretFile: '/nonexistent/secret' }),
      'an empty list of identities': spec('127.0.0.1:1', { allow: [] }),
      'a name with a port in it': spec('127.0.0.1:1', { of: 'db:5432' }),
      'a name of its own that cannot be visited': spec('127.0.0.1:1', { name: 'a/b' }),
      'a UDP service on a socket path': spec('unix:/run/x.sock', { protocol: 'udp' }),
      'a UDP service with a health check': spec('127.0.0.1:53', { protocol: 'udp', healthCheck: {} })
    }
  },
  { title: 'proxy-private as a kind of proxy' }
)

proxyKindKit(
  {
    kind: proxyPrivate(),
    spec: (local) => spec(local, { protocol: 'udp' }),
    carries: 'datagrams',
    visitor: ({ name }) => ({ name: 'way', kind: 'private', of: name, secret, protocol: 'udp', bind: 0 }),
    invalid: {
      'a socket path': spec('unix:/run/x.sock', { protocol: 'udp' }),
      'a health check': spec('127.0.0.1:53', { protocol: 'udp', healthCheck: {} })
    }
  },
  { title: 'proxy-private for datagrams as a kind of proxy' }
)

extensionKit({ use: proxyPrivate() }, { title: 'proxy-private as an extension' })
