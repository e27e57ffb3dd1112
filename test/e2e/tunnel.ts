import net from 'node:net'
import { once } from 'node:events'
import authToken from '@rystra/auth-token'
import { type Client, type ClientOptions, createClient } from '@rystra/client'
import muxDirect from '@rystra/mux-direct'
import muxYamux from '@rystra/mux-yamux'
import proxyTcp from '@rystra/proxy-tcp'
import type { ProxyEntry, RystraConfig } from '@rystra/config'
import { createServer, type Server, type ServerOptions } from '@rystra/server'
import transportTcp from '@rystra/transport-tcp'

export const preset = [transportTcp, muxYamux, muxDirect, authToken, proxyTcp] as const
export const token = 'a-token-for-tests-0123456789'
export const otherToken = 'another-token-for-tests-9876543210'

type ServerPart = NonNullable<RystraConfig['server']>
type ClientPart = NonNullable<RystraConfig['client']>

/** Everything a test started, in the order of starting; ended in reverse by {@link cleanUp}. */
const started: (() => unknown)[] = []

export const later = (end: () => unknown): void => {
  started.push(end)
}

export const cleanUp = async (): Promise<void> => {
  for (const end of started.splice(0).reverse()) await end()
}

export const startServer = async (
  server: Partial<ServerPart> = {},
  extensions: NonNullable<RystraConfig['extensions']> = [],
  options: Partial<ServerOptions> = {}
): Promise<Server> => {
  const made = await createServer(serverConfig(server, extensions), { preset, ...options })
  await made.start()
  later(() => made.stop({ drain: 0 }))
  return made
}

export const serverConfig = (
  server: Partial<ServerPart> = {},
  extensions: NonNullable<RystraConfig['extensions']> = []
): RystraConfig => ({
  extensions: [
    authToken({
      tokens: [
        { identity: 'home', token },
        { identity: 'office', token: otherToken }
      ]
    }),
    ...extensions
  ],
  server: {
    listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }],
    ...server,
    publish: { host: '127.0.0.1', ports: ['1024-65535'], ...server.publish }
  }
})

export const clientConfig = (
  port: number,
  proxies: readonly ProxyEntry[],
  client: Partial<ClientPart> & { token?: string; muxer?: string } = {},
  extensions: NonNullable<RystraConfig['extensions']> = []
): RystraConfig => {
  const { token: own = token, muxer = 'yamux', ...rest } = client
  return {
    extensions: [authToken({ token: own }), ...extensions],
    client: {
      id: 'test',
      connect: { transport: 'tcp', host: '127.0.0.1', port, muxer },
      proxies,
      reconnect: { min: 20, max: 200 },
      ...rest
    } as ClientPart
  }
}

export const makeClient = async (
  port: number,
  proxies: readonly ProxyEntry[],
  client: Parameters<typeof clientConfig>[2] = {},
  extensions: NonNullable<RystraConfig['extensions']> = [],
  options: Partial<ClientOptions> = {}
): Promise<Client> => {
  const made = await createClient(clientConfig(port, proxies, client, extensions), { preset, ...options })
  later(() => made.stop({ drain: 0 }))
  return made
}

export const startClient = async (...args: Parameters<typeof makeClient>): Promise<Client> => {
  const made = await makeClient(...args)
  await made.start()
  return made
}

export const portOf = (server: Server): number => {
  const [first] = server.listening
  if (first === undefined) throw new Error('the server does not listen')
  return first.port
}

/** The port at which visitors reach a proxy of the client. */
export const visitorPort = (client: Client, name: string): number => {
  const proxy = client.proxies.find((one) => one.name === name)
  if (proxy === undefined) throw new Error(`${name} is not published`)
  return Number(proxy.address.split(':').at(-1))
}

/** A tcp proxy of a service on loopback. */
export const svc = (local: number, name = 'svc', port?: number) => ({
  name,
  kind: 'tcp',
  local: `127.0.0.1:${local}`,
  ...(port === undefined ? {} : { port })
})

/** A service on a free port of loopback, or on a socket path. */
export const startService = async (onConnection: (socket: net.Socket) => unknown, path?: string): Promise<number> => {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    onConnection(socket)
  })
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  later(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return path === undefined ? (server.address() as net.AddressInfo).port : 0
}

export const echo = (socket: net.Socket): void => {
  socket.pipe(socket)
}

export const visit = async (port: number, host = '127.0.0.1'): Promise<net.Socket> => {
  const socket = net.connect({ host, port, allowHalfOpen: true })
  socket.on('error', () => {})
  later(() => socket.destroy())
  await once(socket, 'connect')
  return socket
}

/** The code with which a connection to a port fails, `ECONNREFUSED`; `undefined` when there is one. */
export const refusal = (port: number): Promise<string | undefined> =>
  visit(port).then(
    () => undefined,
    ({ code }: NodeJS.ErrnoException) => code
  )

/** All that comes until the end; rejects when it is reset instead. Leaves the other direction open. */
export const readAll = (socket: net.Socket): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('end', () => resolve(Buffer.concat(chunks)))
    socket.once('error', reject)
  })

/** What a service answers to a text that is the whole of what a visitor says. */
export const ask = async (port: number, text = ''): Promise<string> => {
  const socket = await visit(port)
  const answer = readAll(socket)
  socket.end(text)
  return (await answer).toString()
}

/** How a socket ends: `end`, or the code of its error. */
export const endOf = (socket: net.Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.on('end', () => resolve('end'))
    socket.resume()
  })

/** Connects, says nothing, and waits: how the connection of an unwanted visitor ends. */
export const endOfVisit = (port: number): Promise<string> => {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  later(() => socket.destroy())
  return endOf(socket)
}

export { failure, freePort, turns, until } from '@rystra/testkit'

/** Whether a port has a listener: of loopback. */
export const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect({ host: '127.0.0.1', port })
    socket.on('error', () => resolve(false))
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })

/** The code of the error with which a promise rejects, or `ok`. */
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'ok',
    (error: { code: string }) => error.code
  )
