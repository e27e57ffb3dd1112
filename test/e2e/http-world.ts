import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { Client } from '@rystra/client'
import type { ProxyEntry, RystraConfig } from '@rystra/config'
import proxyHttp from '@rystra/proxy-http'
import type { Server } from '@rystra/server'
import { later, preset, startClient, startServer, visit } from './tunnel.js'

export const httpPreset = [...preset, proxyHttp]

type Options = NonNullable<Parameters<typeof proxyHttp>[0]>
type Extensions = NonNullable<RystraConfig['extensions']>

/** Any free port: what visitors then connect to is in the address of each proxy. */
export const startHttpServer = (options: Options = {}, extensions: Extensions = []): Promise<Server> =>
  startServer({}, [proxyHttp({ listen: [{ host: '127.0.0.1', port: 0 }], ...options }), ...extensions], {
    preset: httpPreset
  })

export const startHttpClient = (
  server: Server,
  proxies: readonly ProxyEntry[],
  client: Parameters<typeof startClient>[2] = {},
  extensions: Extensions = []
): Promise<Client> => {
  const [first] = server.listening
  return startClient(first?.port ?? 0, proxies, client, extensions, { preset: httpPreset })
}

/** A listener that answers later, or at once. */
export type Answering = (...args: Parameters<RequestListener>) => unknown

/** An HTTP service on a free port. */
export const startHttpService = async (listener: Answering): Promise<{ port: number; server: http.Server }> => {
  const server = http.createServer((request, response) => void listener(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, server }
}

/** Says what it was asked, in JSON. */
export const mirror = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch {
    return
  }
  const { method, url: target, rawHeaders, headers, rawTrailers } = request
  const body = Buffer.concat(chunks).toString()
  response.setHeader('Content-Type', 'application/json')
  response.end(JSON.stringify({ method, target, rawHeaders, headers, rawTrailers, body }))
}

export interface Mirrored {
  readonly method: string
  readonly target: string
  readonly rawHeaders: string[]
  readonly headers: Record<string, string>
  readonly rawTrailers: string[]
  readonly body: string
}

/** The port of the shared front. */
export const frontPort = (client: Client, name = client.proxies[0]?.name): number => {
  const address = client.proxies.find((one) => one.name === name)?.address
  if (address === undefined) throw new Error(`${name} is not published`)
  return Number(new URL(address).port)
}

export interface Answered {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly rawHeaders: string[]
  readonly body: string
  readonly trailers: NodeJS.Dict<string>
  readonly version: string
}

export interface Asking extends http.RequestOptions {
  readonly body?: string | Buffer
}

/** Reads a response to its end. */
export const answered = async (response: http.IncomingMessage): Promise<Answered> => {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    rawHeaders: response.rawHeaders,
    body: Buffer.concat(chunks).toString(),
    trailers: response.trailers,
    version: response.httpVersion
  }
}

/** Asks for `path` of `host` at the front, and reads the whole answer. */
export const ask = (port: number, host: string, path = '/', options: Asking = {}): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const { body, headers, ...rest } = options
    const request = http.request(
      { host: '127.0.0.1', port, path, agent: false, ...rest, headers: { host, ...(headers as object) } },
      (response) => void answered(response).then(resolve, reject)
    )
    request.on('error', reject)
    request.end(body)
  })

/** What the service was asked, as {@link mirror} tells it. */
export const mirrored = async (...args: Parameters<typeof ask>): Promise<Mirrored> =>
  JSON.parse((await ask(...args)).body)

/** Sends bytes as they are, and reads until the front closes, or what it reads is `enough`. */
export const sendRaw = async (
  port: number,
  bytes: string | Buffer,
  enough: (text: string) => boolean = () => false
): Promise<string> => {
  const socket = await visit(port)
  let text = ''
  socket.setEncoding('latin1')
  const over = new Promise<string>((resolve) => {
    socket.on('data', (chunk: string) => {
      text += chunk
      if (enough(text)) resolve(text)
    })
    socket.on('close', () => resolve(text))
    socket.on('end', () => resolve(text))
  })
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  await over
  socket.destroy()
  return text
}

/** Statuses of the answers in what was read. */
export const statusesOf = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))

/** A service that says what bytes it got, and answers each connection as `answer` says. */
export const startRawService = async (onConnection: (socket: net.Socket) => void): Promise<number> => {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
