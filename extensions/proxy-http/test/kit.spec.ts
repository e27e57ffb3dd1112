import type { ProxyKind, ProxySpec, Side } from '@rystra/plugin'
import { extensionKit, proxyKindKit, setUpExtension } from '@rystra/testkit'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import proxyHttp from '../src/index.js'

const listen = [{ host: '127.0.0.1', port: 0 }]
const spec = (local: string, more: Record<string, unknown> = {}): ProxySpec => ({
  name: 'web',
  kind: 'http',
  local,
  ...more
})

const stops: (() => Promise<void>)[] = []

const kind = async (side: Side): Promise<ProxyKind> => {
  const setUp = setUpExtension(proxyHttp({ listen }), side)
  stops.push(() => setUp.stop())
  await setUp.start()
  return setUp.registered('proxies')[0] as ProxyKind
}

/** Reads a head, and leaves what is behind it. */
const headOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let seen = Buffer.alloc(0)
    const onReadable = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        seen = Buffer.concat([seen, chunk])
      }
      const end = seen.indexOf('\r\n\r\n')
      if (end === -1 && !socket.readableEnded) return
      socket.removeListener('readable', onReadable)
      if (end !== -1 && seen.length > end + 4) socket.unshift(seen.subarray(end + 4))
      // Node needs a turn to notice that `readable` has no listener any more.
      setImmediate(() => resolve(seen.toString('latin1', 0, end)))
    }
    socket.on('readable', onReadable)
    onReadable()
  })

const changed = (protocol: string): string =>
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`

describe('proxy-http', () => {
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop()
  })

  // Bytes go both ways once the protocol was changed.
  proxyKindKit(
    {
      kind,
      spec,
      async serve(socket) {
        await headOf(socket)
        socket.write(changed('kit'))
        return socket
      },
      async visit({ address }) {
        const { host, hostname, port } = new URL(address)
        const visitor = net.connect({ host: '127.0.0.1', port: Number(port), allowHalfOpen: true })
        visitor.on('error', () => {})
        await once(visitor, 'connect')
        visitor.write(`GET / HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: kit\r\n\r\n`)
        const head = await headOf(visitor)
        if (!/^HTTP\/1\.1 (101|502)/.test(head)) throw new Error(`${host} answered: ${head}`)
        return visitor
      },
      invalid: {
        'no service': { name: 'web', kind: 'http' },
        'a port that there is not': spec('127.0.0.1:65536'),
        'a host that is not valid': spec('127.0.0.1:1', { host: 'app..example.org' }),
        'a name that is no subdomain': { ...spec('127.0.0.1:1'), name: 'my web' },
        'a prefix to strip that there is not': spec('127.0.0.1:1', { stripPrefix: true }),
        'a header that frames the message': spec('127.0.0.1:1', { requestHeaders: { set: { 'Content-Length': '1' } } }),
        'a header whose name is not valid': spec('127.0.0.1:1', { requestHeaders: { set: { 'X-A: b\r\nX-B': 'c' } } }),
        'a header that is two': spec('127.0.0.1:1', { responseHeaders: { add: { 'X-A': 'a\r\nX-B: b' } } }),
        'an account without a password': spec('127.0.0.1:1', { basicAuth: { user: 'ann' } }),
        'a page of a status that is no error': spec('127.0.0.1:1', { errorPages: { '200': '<p>' } })
      }
    },
    { title: 'as a kind of proxy' }
  )

  extensionKit(
    {
      use: proxyHttp({ listen }),
      failing: proxyHttp({ listen: [{ host: '192.0.2.1', port: 1 }] }),
      invalid: {
        'a base that is no domain': { baseDomain: '-' },
        'a port that there is not': { listen: [{ host: '127.0.0.1', port: 65_536 }] },
        'a page of a status that is no error': { errorPages: { '200': '<p>' } },
        'heads without a limit': { maxHeadSize: 0 }
      }
    },
    { title: 'as an extension' }
  )
})
