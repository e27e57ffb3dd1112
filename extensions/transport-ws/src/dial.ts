import { dialTcp } from '@rystra/net'
import type { ByteLink, Clock, DialOptions, TlsFacts } from '@rystra/plugin'
import { connectTls, type TlsDialer, tlsFacts } from '@rystra/tls'
import type { IncomingMessage } from 'node:http'
import net, { type Socket } from 'node:net'
import type { ClientOptions } from 'ws'
import { checkBound, withoutEnds } from './bound.js'
import { withDeadline } from './deadline.js'
import { Handshake } from './handshake.js'
import { DEFAULT_PATH, MAX_HEAD, SUBPROTOCOL } from './limits.js'
import type { DialWs, DialWss } from './options.js'
import { brokenOff, refusedWith } from './refusal.js'
import { WsStream } from './stream.js'

/** A connection that is there, to open a WebSocket on. */
interface Opening {
  readonly socket: Socket
  readonly url: string
  readonly headers: Record<string, string>
  readonly facts: TlsFacts | undefined
  /** Nobody but the two ends sees what is inside. */
  readonly sealed: boolean
}

const open = ({ socket, url, headers, facts, sealed }: Opening, signal: AbortSignal): Promise<WsStream> =>
  new Promise((resolve, reject) => {
    const handshake = new Handshake(url, SUBPROTOCOL, {
      perMessageDeflate: false,
      headers,
      followRedirects: false,
      maxHeaderSize: MAX_HEAD,
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
    handshake.on('error', (error) => fail(brokenOff(error, url)))
    handshake.on('unexpected-response', (_request, response: IncomingMessage) => fail(refusedWith(response, url)))
    handshake.on('upgrade', (response: IncomingMessage) => {
      try {
        checkBound(response.headers['rystra-bound'], facts, url)
      } catch (error) {
        fail(error as Error)
      }
    })
    handshake.onDone = (_socket, head) => {
      signal.removeEventListener('abort', aborted)
      // Unpredictable masks protect intermediaries that take what a stranger chose for HTTP. Inside TLS there are none.
      resolve(new WsStream(socket, head, sealed ? 'zeros' : 'keys'))
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

/** Dials `ws`. Rejects with `connect.*`, `protocol.*` or `tls.terminated`. */
export const dialWs = async (
  to: DialOptions & Partial<DialWs>,
  signal: AbortSignal,
  clock: Clock
): Promise<ByteLink> => {
  const { headers = {} } = to
  const url = urlOf('ws', to, to.path)
  const socket = await dialTcp(to, signal)
  const { remoteAddress = to.host, remotePort = to.port } = socket
  const stream = await withDeadline(signal, clock, url, (within) =>
    open({ socket, url, headers, facts: undefined, sealed: false }, within)
  )
  return linkOf(stream, remoteAddress, remotePort)
}

/** Dials `wss`. Rejects with `connect.*`, `tls.*` or `protocol.*`. */
export const dialWss = async (
  to: DialOptions & Partial<DialWss>,
  signal: AbortSignal,
  clock: Clock,
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
    const facts = tlsTerminated ? withoutEnds(whole) : whole
    const stream = await open({ socket: secure, url, headers, facts, sealed: !tlsTerminated }, within)
    return linkOf(stream, remoteAddress, remotePort, facts)
  })
}
