import { once } from 'node:events'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { frontPort, startHttpClient, startHttpServer } from './http-world.js'
import { later } from './tunnel.js'

export const authority = 'app.localhost'

/** A service that speaks HTTP/2, by its streams. */
export const startH2Service = async (
  onStream: (stream: ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => void,
  settings: http2.Settings = {}
): Promise<{ port: number; server: http2.Http2Server }> => {
  const server = http2.createServer({ settings, maxSessionMemory: 1000 })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {})
    onStream(stream, headers)
  })
  const sessions = new Set<http2.ServerHttp2Session>()
  server.on('session', (session) => void sessions.add(session))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, server }
}

export const tunnel = async (
  local: number,
  spec: object = {},
  options: Parameters<typeof startHttpServer>[0] = {}
): Promise<number> =>
  frontPort(await startHttpClient(await startHttpServer(options), [{ name: 'app', kind: 'http', local, ...spec }]))

export const session = (port: number, options: http2.ClientSessionOptions = {}): ClientHttp2Session => {
  const made = http2.connect(`http://127.0.0.1:${port}`, options)
  made.on('error', () => {})
  later(() => made.destroy())
  return made
}

export interface Response {
  readonly headers: http2.IncomingHttpHeaders
  readonly endedWithHead: boolean
  readonly body: string
}

export const response = async (stream: ClientHttp2Stream): Promise<Response> => {
  const [headers, flags] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders, number]
  let body = ''
  for await (const chunk of stream) body += String(chunk)
  return { headers, endedWithHead: (flags & 1) === 1, body }
}

export const get = (from: ClientHttp2Session, path = '/', headers: http2.OutgoingHttpHeaders = {}): Promise<Response> =>
  response(from.request({ ':authority': authority, ':path': path, ...headers }))
