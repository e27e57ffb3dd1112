import { hostPort } from '@rystra/address'
import { asError, closeWithSession, dialTcp, peerOf } from '@rystra/net'
import { type Clock, type DialOptions, isErrorCode, RystraError, type StreamLink, type TlsFacts } from '@rystra/plugin'
import { type ClientTlsOptions, connectTls, type TlsDialer, tlsFacts } from '@rystra/tls'
import { randomBytes, randomInt } from 'node:crypto'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import { ClientLink } from './client-link.js'
import { Guard } from './guard.js'
import { ALPN } from './listen.js'
import { DEFAULT_PATH, type Http2Options } from './options.js'
import { Pipe } from './pipe.js'
import {
  CHUNKS,
  ERROR,
  FIRST_OFFERS,
  HOP,
  LINK,
  MAX_HEADER_LIST_BYTES,
  numberOf,
  OFFERS,
  STREAMS,
  sessionOptions,
  VERB,
  VERSION,
  widen
} from './wire.js'

/** Statuses with which a proxy says that the server behind it is not there now. */
const LATER = [502, 503, 504]

/** Where a frame says of which type it is. */
const TYPE = 3
const SETTINGS = 4

/** What dialing needs. */
export interface DialParts {
  readonly to: DialOptions &
    ClientTlsOptions & {
      readonly proxy?: string
      readonly path?: string
      readonly authority?: string
      readonly headers?: Readonly<Record<string, string>>
    }
  readonly options: Http2Options
  readonly clock: Clock
  /** Left out: HTTP/2 without TLS. */
  readonly dialer?: TlsDialer
}

/** Connects, and asks for a link. */
export const dialHttp2 = async (parts: DialParts, signal: AbortSignal): Promise<StreamLink> => {
  const { to, options, dialer } = parts
  const tls = await dialer?.trust(to, to.host)
  const socket = await dialTcp({ ...to, keepAlive: options.keepAlive }, signal)
  if (tls === undefined) return ask(parts, socket, undefined, signal)
  const where = `tls ${hostPort(to.host, to.port)}`
  const secure = await connectTls(tls, { socket, alpn: [ALPN], where }, signal)
  if (secure.alpnProtocol !== ALPN) {
    secure.on('error', () => {}).destroy()
    throw new RystraError('tls.handshake', {
      side: 'server',
      detail: `${where}, HTTP/2 is not served there (ALPN); check the port and the transport`
    })
  }
  return ask(parts, secure, tlsFacts(secure), signal)
}

/** Asks for a link over a connection that is up. */
const ask = (
  { to, options, clock }: DialParts,
  socket: Socket,
  tls: TlsFacts | undefined,
  signal: AbortSignal
): Promise<StreamLink> =>
  new Promise((resolve, reject) => {
    const name = hostPort(to.host, to.port)
    const authority = to.authority ?? name
    const path = to.path ?? DEFAULT_PATH
    const where = `${tls === undefined ? 'h2c' : 'http2'} ${name}`
    const peer = peerOf(socket, tls)
    const pipe = new Pipe(socket)
    // A server begins with a SETTINGS frame, RFC 9113 section 3.4. Of anything else nghttp2 says nothing but good-bye.
    socket.once('data', (first: Buffer) => {
      if (first.length <= TYPE || first[TYPE] === SETTINGS) return
      fail(new RystraError('connect.refused', { detail: `${where}, HTTP/2 is not spoken there` }))
    })
    // No proxy says the same by chance.
    const hop = MAX_HEADER_LIST_BYTES + randomInt(MAX_HEADER_LIST_BYTES)
    const session = http2.connect(`${tls === undefined ? 'http' : 'https'}://${name}`, {
      createConnection: () => pipe,
      // The server can ask for nothing.
      ...sessionOptions(options.window, 1, hop),
      maxReservedRemoteStreams: 0
    })
    closeWithSession(session, pipe)
    // Node keeps a half-open connection; HTTP/2 has no use for one.
    pipe.onEnd = () => session.destroy()
    pipe.onDrain = () => link?.uncongested()
    const headers = {
      ...to.headers,
      ':method': 'POST',
      ':path': path,
      ':authority': authority,
      'content-type': 'application/octet-stream',
      [LINK]: randomBytes(16).toString('base64url')
    }
    let link: ClientLink | undefined
    let cause: Error | undefined
    const settle = (): void => signal.removeEventListener('abort', aborted)
    const fail = (error: Error): void => {
      cause ??= error
      if (link !== undefined) link.destroy(error)
      else {
        settle()
        reject(failure(error, where))
      }
      session.destroy()
    }
    const aborted = (): void =>
      fail(new RystraError('connect.unreachable', { detail: `${where}, ${asError(signal.reason).message}` }))
    session.on('error', fail)
    session.once('close', () =>
      fail(
        new RystraError(link === undefined ? 'connect.unreachable' : 'session.lost', { detail: closed(where, cause) })
      )
    )
    new Guard(session, clock, (what) =>
      fail(new RystraError('mux.protocol', { side: 'server', detail: `too many ${what}` }))
    )
    if (signal.aborted) return aborted()
    signal.addEventListener('abort', aborted, { once: true })
    const request = (): ClientHttp2Stream =>
      session.request(
        { [HOP]: String(hop), ...headers, [VERB]: 'link', [STREAMS]: String(options.maxStreams) },
        { endStream: false }
      )
    session.once('connect', () => {
      // A server may say GOAWAY before anything else.
      if (session.closed || session.destroyed) return
      widen(session, options.window)
      const service = request()
      service.on('error', () => {})
      service.once('response', (answer) => {
        const refusal = refusalOf(answer, `${where}${path}`)
        if (refusal !== undefined) return fail(refusal)
        settle()
        link = new ClientLink({
          peer,
          options,
          clock,
          service,
          session,
          headers,
          carrier: { pipe, release: (graceful) => release(session, graceful) },
          offers: numberOf(answer[OFFERS], FIRST_OFFERS),
          streams: numberOf(answer[STREAMS], Number.MAX_SAFE_INTEGER),
          keepAlive: numberOf(answer[CHUNKS], 0)
        })
        resolve(link)
      })
      service.once('close', () => {
        // The session may say why, a little later.
        setImmediate(() => {
          if (link === undefined) fail(new RystraError('connect.unreachable', { detail: closed(where, cause) }))
        })
      })
    })
  })

const release = (session: ClientHttp2Session, graceful: boolean): void => {
  if (graceful) session.close()
  else session.destroy()
}

const closed = (where: string, cause: Error | undefined): string =>
  `${where}, ${cause === undefined ? 'it closed the connection' : ((cause as NodeJS.ErrnoException).code ?? cause.message)}`

/** What a response other than that of a Rystra server means. */
const refusalOf = (answer: IncomingHttpHeaders, where: string): RystraError | undefined => {
  const { ':status': status, [VERB]: version, [ERROR]: code } = answer as Record<string, string | number | undefined>
  if (status === 200 && version === VERSION) return undefined
  if (typeof code === 'string' && isErrorCode(code)) return new RystraError(code, { side: 'server', detail: where })
  const detail = status === 200 ? `${where}, it is no Rystra server` : `${where}, HTTP status ${status}`
  return new RystraError(LATER.includes(status as number) ? 'connect.unreachable' : 'connect.refused', { detail })
}

/** What a connection without a link ended with. */
const failure = (error: Error, where: string): Error => {
  if (error instanceof RystraError) return error
  const { code = '' } = error as NodeJS.ErrnoException
  const refused = code.startsWith('ERR_HTTP2_')
  return new RystraError(refused ? 'connect.refused' : 'connect.unreachable', {
    detail: refused ? `${where}, HTTP/2 is not spoken there (${error.message})` : `${where}, ${code || error.message}`,
    cause: error
  })
}
