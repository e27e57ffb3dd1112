import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'

/** What a test opened, closed by {@link cleanUp}. */
const opened: (() => unknown)[] = []

export const later = (close: () => unknown): void => {
  opened.push(close)
}

export const cleanUp = async (): Promise<void> => {
  for (const close of opened.splice(0).reverse()) await close()
}

/** Listens on a free port of loopback until the test is over. */
export const serve = async (server: net.Server): Promise<number> => {
  const sockets = new Set<net.Socket>()
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as net.AddressInfo).port
}

export const serveSocket = (onSocket: (socket: net.Socket) => void): Promise<number> =>
  serve(net.createServer({ allowHalfOpen: true }, onSocket))

/** How a proxy of the tests behaves. */
export interface ProxyOptions {
  /** Wanted of clients. */
  readonly credentials?: { readonly user: string; readonly password: string }
  /** Names that only the proxy knows; all are on loopback. Without it each target is dialed as it is. */
  readonly names?: readonly string[]
}

export interface TestProxy {
  readonly port: number
  /** Targets of its requests, `host:port`, in their order. */
  readonly targets: string[]
  /** Ends all connections through it. */
  cut(): void
}

const joined = (near: net.Socket, far: net.Socket): void => {
  // It was cut while the target was dialed, and has no event any more that would end the other one.
  if (near.destroyed) far.destroy()
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy())
  near.on('close', () => far.destroy())
  far.on('close', () => near.destroy())
  near.pipe(far)
  far.pipe(near)
}

const cut = (sockets: Iterable<net.Socket>): void => {
  for (const socket of sockets) socket.destroy()
}

/** A proxy reaches this machine alone: other addresses may answer late, or never, where the tests run. */
const reach = (host: string, port: number, { names = [] }: ProxyOptions): net.Socket => {
  const local = names.includes(host) || /^127\.|^::1$|^localhost$/.test(host)
  return net.connect({
    host: local && !names.includes(host) ? host : '127.0.0.1',
    port: local ? port : 1,
    allowHalfOpen: true
  })
}

/** An HTTP proxy for CONNECT alone. */
export const httpProxy = async (options: ProxyOptions = {}): Promise<TestProxy> => {
  const { credentials } = options
  const targets: string[] = []
  const through = new Set<net.Socket>()
  const server = http.createServer((_request, response) => response.writeHead(405).end())
  const wanted = credentials && `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`
  server.on('connect', (request: http.IncomingMessage, near: net.Socket, head: Buffer) => {
    targets.push(request.url ?? '')
    if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted) {
      near.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="test"\r\n\r\n')
      return
    }
    const [, host = '', port] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url ?? '') ?? []
    const far = reach(host, Number(port), options)
    through.add(near)
    near.on('close', () => through.delete(near))
    far.once('error', () => near.end('HTTP/1.1 502 Bad Gateway\r\n\r\n'))
    far.once('connect', () => {
      near.write('HTTP/1.1 200 Connection established\r\n\r\n')
      if (head.length > 0) far.write(head)
      joined(near, far)
    })
  })
  const port = await serve(server)
  return { port, targets, cut: () => cut(through) }
}

const bytesFrom = async (socket: net.Socket, count: number): Promise<Buffer> => {
  for (;;) {
    const bytes = socket.read(count) as Buffer | null
    if (bytes !== null) return bytes
    await once(socket, 'readable')
  }
}

/** A SOCKS5 proxy for CONNECT alone. */
export const socksProxy = async (options: ProxyOptions = {}): Promise<TestProxy> => {
  const { credentials } = options
  const targets: string[] = []
  const through = new Set<net.Socket>()
  const welcome = async (near: net.Socket): Promise<void> => {
    const take = (count: number): Promise<Buffer> => bytesFrom(near, count)
    const [, methods = 0] = await take(2)
    const method = credentials === undefined ? 0 : 2
    if (!(await take(methods)).includes(method)) {
      near.end(Buffer.from([5, 0xff]))
      return
    }
    near.write(Buffer.from([5, method]))
    if (credentials !== undefined) {
      const [, size = 0] = await take(2)
      const user = String(await take(size))
      const password = String(await take((await take(1))[0] as number))
      const good = user === credentials.user && password === credentials.password
      near.write(Buffer.from([1, good ? 0 : 1]))
      if (!good) {
        near.end()
        return
      }
    }
    const [, , , type] = await take(4)
    let host = ''
    if (type === 1) host = [...(await take(4))].join('.')
    else if (type === 3) host = String(await take((await take(1))[0] as number))
    else host = (await take(16)).toString('hex').replace(/(....)(?=.)/g, '$1:')
    const port = (await take(2)).readUInt16BE()
    targets.push(`${host}:${port}`)
    const far = reach(host, port, options)
    through.add(near)
    near.on('close', () => through.delete(near))
    far.once('error', () => near.end(Buffer.from([5, 5, 0, 1, 0, 0, 0, 0, 0, 0])))
    far.once('connect', () => {
      // A name as its own address: rare, and allowed.
      near.write(Buffer.from([5, 0, 0, 3, 2, 0x68, 0x69, 0, 0]))
      joined(near, far)
    })
  }
  const port = await serveSocket((near) => {
    welcome(near).catch(() => near.destroy())
  })
  return { port, targets, cut: () => cut(through) }
}

export { freePort } from '@rystra/testkit'
