import type { ProxyKind, ProxySpec, Side } from '@rystra/plugin'
import { extensionKit, proxyKindKit, setUpExtension } from '@rystra/testkit'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import proxyHttps from '../src/index.js'
import { clientHello } from './world.js'

const spec = (local: string, more: Record<string, unknown> = {}): ProxySpec => ({
  name: 'web',
  kind: 'https',
  local,
  ...more
})

const listen = [{ host: '127.0.0.1', port: 0 }]

/** The kit's services do not speak TLS: what comes to them first is the ClientHello, as long as this one. */
let hello: Buffer
const stops: (() => Promise<void>)[] = []

const takeOff = (socket: Socket): Promise<Socket> =>
  new Promise((resolve) => {
    const onReadable = (): void => {
      const head = socket.read(hello.length) as Buffer | null
      if (head === null) return
      socket.removeListener('readable', onReadable)
      // Node needs a turn to notice that `readable` has no listener any more.
      setImmediate(() => resolve(socket))
    }
    socket.on('readable', onReadable)
    onReadable()
  })

const kind = async (side: Side): Promise<ProxyKind> => {
  const setUp = setUpExtension(proxyHttps({ listen }), side)
  stops.push(() => setUp.stop())
  await setUp.start()
  return setUp.registered('proxies')[0] as ProxyKind
}

describe('proxy-https', () => {
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })

  proxyKindKit(
    {
      kind,
      spec,
      serve: takeOff,
      invalid: {
        'no service': { name: 'web', kind: 'https' },
        'a port that there is not': spec('127.0.0.1:65536'),
        'a host that is not valid': spec('127.0.0.1:1', { host: 'app..example.org' }),
        'a name that is no subdomain': { ...spec('127.0.0.1:1'), name: 'my web' },
        'a wildcard in the middle': spec('127.0.0.1:1', { host: 'app.*.example.org' })
      },
      async visit({ address }) {
        const { hostname, port } = new URL(address)
        hello = await clientHello({ servername: hostname })
        const visitor = net.connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true })
        visitor.on('error', () => {})
        await once(visitor, 'connect')
        visitor.write(hello)
        return visitor
      }
    },
    { title: 'as a kind of proxy' }
  )

  extensionKit(
    {
      use: proxyHttps({
        listen,
        redirect: true,
        redirectFrom: listen,
        hsts: { maxAge: 60, includeSubDomains: true, preload: false }
      }),
      failing: proxyHttps({ listen: [{ host: '192.0.2.1', port: 1 }] }),
      invalid: {
        'nowhere to listen': { listen: [] },
        'a certificate without its key': { certificates: [{ cert: 'a.pem' }] },
        'a certificate without hosts': { certificates: [{}] },
        'a host with two certificates': { certificates: [{ hosts: ['a.org'] }, { hosts: ['A.org'] }] },
        'a host that is not valid': { certificates: [{ hosts: ['a..org'] }] }
      }
    },
    { title: 'as an extension' }
  )
})
