import { dialTcp } from '@rystra/net'
import { type ByteLink, type Clock, type DialOptions, isRystraError, RystraError, type TlsFacts } from '@rystra/plugin'
import { connectTls, type TlsDialer, tlsFacts } from '@rystra/tls'
import type { IncomingMessage } from 'node:http'
import net, { type Socket } from 'node:net'
import type { ClientOptions } from 'ws'
import { checkBinding, hopByHopFacts } from './channel-binding.js'
import { Handshake } from './handshake.js'
import { DEFAULT_PATH, HANDSHAKE_TIMEOUT_MS, MAX_HEAD_BYTES, SUBPROTOCOL } from './limits.js'
import type { DialWs, DialWss } from './options.js'
import { handshakeError, responseError } from './errors.js'
import { WsStream } from './stream.js'

/**
 * Runs a step of dialing with a signal that aborts with the given one and at the handshake timeout. Rejects with the
 * reason, as `connect.unreachable` unless it is a `RystraError`.
 */
const withDeadline = async <Result>(
  signal: AbortSignal,
  clock: Clock,
  at: string,
  run: (signal: AbortSignal) => Promise<Result>
): Promise<Result> => {
  const over = new AbortController()
  const aborted = (): void => {
    const { reason } = signal as { reason: unknown }
    const why = reason instanceof Error ? reason.message : 'aborted'
    over.abort(
      isRystraError(reason)
        ? reason
        : new RystraError('connect.unreachable', { detail: `${at}, ${why}`, cause: reason })
    )
  }
  if (signal.aborted) aborted()
  signal.addEventListener('abort', aborted)
  const detail = `${at}, no answer within ${HANDSHAKE_TIMEOUT_MS / 1000} s`
  const cancel = clock.after(HANDSHAKE_TIMEOUT_MS, () => over.abort(new RystraError('connect.unreachable', { detail })))
  try {
    return await run(over.signal)
  } finally {
    cancel()
    signal.removeEventListener('abort', aborted)
  }
}

/** An established connection on which a WebSocket is opened. */
interface Connection {
  readonly socket: Socket
  readonly url: string
  readonly headers: Record<string, string>
  readonly facts: TlsFacts | undefined
  /** TLS reaches the server. */
  readonly sealed: boolean
}

const open = (
  { socket, url, headers, facts, sealed }: Connection,
  pingInterval: number,
  signal: AbortSignal
): Promise<WsStream> =>
  new Promise((resolve, reject) => {
    const handshake = new Handshake(url, SUBPROTOCOL, {
      perMessageDeflate: false,
      headers,
      followRedirects: false,
      maxHeaderSize: MAX_HEAD_BYTES,
      createConnection: () => socket
    } as ClientOptions)
    const fail = (error: Error): void => {
      signal.removeEventListener('abort', aborted)
      handshake.onDone = undefined
      handshake.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const aborted = (): void => fail(signal.reason as Error)
    handshake.on('error', (error) => fail(handshakeError(error, url)))
    handshake.on('unexpected-response', (_request, response: IncomingMessage) => fail(responseError(response, url)))
    handshake.on('upgrade', (response: IncomingMessage) => {
      try {
        checkBinding(response.headers['rystra-bound'], facts, url)
      } catch (error) {
        fail(error as Error)
      }
    })
    handshake.onDone = (_socket, head) => {
      signal.removeEventListener('abort', aborted)
      // Unpredictable masks protect intermediaries that mistake payload for HTTP. Within TLS no intermediary sees them.
      resolve(new WsStream(socket, head, sealed ? 'zeros' : 'keys', pingInterval))
    }
    signal.addEventListener('abort', aborted)
    if (signal.aborted) aborted()
  })

const urlOf = (scheme: string, { host, port }: DialOptions, path = DEFAULT_PATH): string =>
  `${scheme}://${net.isIPv6(host) ? `[${host}]` : host}:${port}${path}`

const linkOf = ({ duplex }: WsStream, address: string, port: number, tls?: TlsFacts): ByteLink => ({
  kind: 'bytes',
  duplex,
  peer: { address, port, ...(tls === undefined ? {} : { tls }) }
})

/** What every dial of the extension uses. */
interface Dialing {
  readonly clock: Clock
  /** See `WsOptions`. */
  readonly pingInterval: number
}

/** Dials `ws`. Rejects with `connect.*`, `protocol.*` or `tls.terminated`. */
export const dialWs = async (
  to: DialOptions & Partial<DialWs>,
  signal: AbortSignal,
  { clock, pingInterval }: Dialing
): Promise<ByteLink> => {
  const { headers = {} } = to
  const url = urlOf('ws', to, to.path)
  const socket = await dialTcp(to, signal)
  const { remoteAddress = to.host, remotePort = to.port } = socket
  const stream = await withDeadline(signal, clock, url, (within) =>
    open({ socket, url, headers, facts: undefined, sealed: false }, pingInterval, within)
  )
  return linkOf(stream, remoteAddress, remotePort)
}

/** Dials `wss`. Rejects with `connect.*`, `tls.*` or `protocol.*`. */
export const dialWss = async (
  to: DialOptions & Partial<DialWss>,
  signal: AbortSignal,
  { clock, pingInterval }: Dialing,
  dialer: TlsDialer
): Promise<ByteLink> => {
  const { headers = {}, tlsTerminated = false } = to
  const url = urlOf('wss', to, to.path)
  const trust = await dialer.trust(to, to.host)
  const socket = await dialTcp(to, signal)
  const { remoteAddress = to.host, remotePort = to.port } = socket
  return await withDeadline(signal, clock, url, async (within) => {
    const secure = await connectTls(trust, { socket, alpn: ['http/1.1'], where: url }, within)
    const whole = tlsFacts(secure)
    const facts = tlsTerminated ? hopByHopFacts(whole) : whole
    const stream = await open({ socket: secure, url, headers, facts, sealed: !tlsTerminated }, pingInterval, within)
    return linkOf(stream, remoteAddress, remotePort, facts)
  })
}
