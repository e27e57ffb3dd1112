import { type HandshakeAbort, Handshakes, type PendingHandshake, TurnQueue } from '@rystra/limits'
import { keepTls, type NoticedTls, watchTls } from '@rystra/native'
import { RystraError, type TlsFacts } from '@rystra/plugin'
import type { Socket } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { connectionKey, sameAddresses } from './addresses.js'
import { certificateError, tlsError } from './errors.js'
import { tlsFacts } from './facts.js'
import { firstBytes, plainAlert, plainHttpAnswer } from './first-bytes.js'
import { HandshakeLog } from './handshake-log.js'
import { showResets } from './resets.js'
import type { TlsHost } from './options.js'
import type { ServerTls } from './server-tls.js'

/** Time a refused peer has to read the answer. */
const CLOSE_TIMEOUT_MS = 1000

/**
 * Handshakes that all acceptors of a process start in one turn of the event loop: some 4 ms of it, so that streams that
 * are open go on while a thousand clients come back.
 */
const queue = new TurnQueue({ perTurn: 4 })

const reasons: Readonly<Record<HandshakeAbort, string>> = {
  limit: 'too many handshakes in progress',
  timeout: 'handshake timed out',
  closed: 'listener closed'
}

/** Options of {@link TlsAcceptor}. */
export interface TlsAcceptorOptions {
  readonly tls: ServerTls
  /** Served protocols. A client that offers only others is refused; one that offers none is accepted. */
  readonly alpn: readonly string[]
  readonly host: Pick<TlsHost, 'log' | 'clock'>
  /** Milliseconds that a peer has for the handshake; time in which it waits for this end is not counted. @default 10000 */
  readonly handshakeTimeout?: number
  /**
   * Maximum of handshakes in progress: one more evicts the peer that has been silent for the longest. As many more may
   * wait for their turn. @default 1024, some 100 MiB at worst
   */
  readonly handshakes?: number
  /** Where handshakes wait for their turn. @default one for the process */
  readonly queue?: TurnQueue
  /**
   * A completed handshake; the client certificate is valid if one is required. `tcp` is the socket given to {@link
   * TlsAcceptor.accept}.
   */
  onSocket(socket: TLSSocket, facts: TlsFacts, tcp: Socket): void
  /**
   * A client whose required certificate is missing or invalid: report the error and end the socket. Node cannot send
   * the TLS alert at this point. @default the connection is closed
   */
  onRefused?(socket: TLSSocket, error: RystraError): void
}

interface Connection {
  readonly socket: Socket
  readonly peer: string
  readonly key: string
  readonly handshake: PendingHandshake
  /** For the native part. */
  noticed?: NoticedTls | undefined
}

/**
 * The server side of TLS for accepted connections. Handshakes in progress are bounded in number and time, and start in the
 * order in which their first bytes arrive.
 */
export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  readonly #server: tls.Server
  readonly #log: HandshakeLog
  readonly #handshakes: Handshakes
  readonly #pending = new Map<string, Connection>()

  constructor(options: TlsAcceptorOptions) {
    this.#options = options
    const { host, handshakes: max = 1024, handshakeTimeout: timeout = 10_000 } = options
    this.#log = new HandshakeLog(host.log, host.clock)
    const limits = { max, timeout }
    this.#handshakes = new Handshakes({ limits: () => limits, clock: host.clock, queue: options.queue ?? queue })
    this.#server = tls.createServer({
      ...options.tls.options,
      ALPNProtocols: [...options.alpn],
      // Verified in `#refusal`, so that the client can be told the reason.
      rejectUnauthorized: false,
      // Node's handshake timeout restarts with each byte.
      handshakeTimeout: 0
    })
    this.#server.on('secureConnection', (socket) => this.#secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
    options.tls.onChange = (context) => this.#server.setSecureContext(context)
  }

  /** Starts the handshake on a connection. Bytes that were read for sniffing are unshifted already. */
  take(socket: Socket): void {
    const peer = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`
    const handshake = this.#handshakes.begin((reason) => this.#abort(one, reason))
    const one: Connection = { socket, peer, key: connectionKey(socket), handshake }
    this.#pending.set(one.key, one)
    socket.on('error', () => {})
    socket.once('close', () => this.#settle(one))
    this.#sniff(one)
  }

  /** Aborts handshakes in progress. Completed ones go on. */
  close(): void {
    this.#options.tls.onChange = undefined
    this.#handshakes.close()
  }

  #sniff(one: Connection): void {
    const { socket } = one
    // Collected here: unshifting the bytes would make the socket readable again.
    let head: Buffer = Buffer.alloc(0)
    const read = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read()) {
        head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      }
      const kind = firstBytes(head)
      if (kind === undefined) return
      socket.removeListener('readable', read)
      if (kind !== 'tls') {
        socket.removeListener('end', ended)
        this.#refuse(one, kind === 'http' ? plainHttpAnswer() : plainAlert)
        return
      }
      // More is not read until it is its turn, but a connection that ends is noticed.
      const watch = (): void => void socket.read(0)
      socket.on('readable', watch)
      one.handshake.enqueue(() => {
        socket.removeListener('readable', watch)
        socket.removeListener('end', ended)
        // With half-open allowed Node would wait after an end within the handshake.
        socket.allowHalfOpen = false
        socket.unshift(head)
        one.noticed = watchTls(socket, () => this.#server.emit('connection', socket))[1]
      })
    }
    const ended = (): void => void socket.destroy()
    socket.on('readable', read)
    socket.on('end', ended)
  }

  /** Keeps reading until the deadline: closing with unread bytes would reset the connection and lose the answer. */
  #refuse(one: Connection, answer: string | Buffer): void {
    this.#settle(one)
    const { socket } = one
    const cancel = this.#options.host.clock.after(CLOSE_TIMEOUT_MS, () => socket.destroy())
    socket.once('close', cancel)
    socket.end(answer)
    socket.resume()
    this.#log.failed(new RystraError('tls.not-tls', { side: 'server', detail: 'not TLS' }), one.peer)
  }

  #abort(one: Connection, reason: HandshakeAbort): void {
    this.#pending.delete(one.key)
    this.#log.failed(new RystraError('tls.handshake', { side: 'server', detail: reasons[reason] }), one.peer)
    one.socket.destroy()
  }

  #settle(one: Connection): void {
    if (one.handshake.settle()) this.#pending.delete(one.key)
  }

  #failed(cause: Error, socket: TLSSocket): void {
    const one = this.#pending.get(connectionKey(socket))
    socket.destroy()
    // Aborted handshakes, and peers without an address, are not reported.
    if (one === undefined) return
    this.#settle(one)
    this.#log.failed(tlsError(cause, 'server', 'handshake'), one.peer)
    one.socket.destroy()
  }

  #secured(socket: TLSSocket): void {
    const one = this.#pending.get(connectionKey(socket))
    if (one === undefined) {
      socket.on('error', () => {}).destroy()
      return
    }
    this.#settle(one)
    keepTls(socket, one.noticed)
    socket.allowHalfOpen = true
    one.socket.allowHalfOpen = true
    sameAddresses(socket, one.socket)
    showResets(socket, one.socket)
    const error = this.#refusal(socket)
    if (error !== undefined) {
      this.#log.failed(error, one.peer)
      if (this.#options.tls.clientCert === 'required') {
        socket.on('error', () => {})
        if (this.#options.onRefused === undefined) socket.destroy()
        else this.#options.onRefused(socket, error)
        return
      }
    }
    this.#options.onSocket(socket, tlsFacts(socket), one.socket)
  }

  /** The error of a client certificate, where one is requested. */
  #refusal(socket: TLSSocket): RystraError | undefined {
    const { clientCert } = this.#options.tls
    if (clientCert === 'none') return undefined
    if (socket.getPeerX509Certificate() === undefined) {
      return clientCert === 'required' ? new RystraError('tls.certificate-required', { side: 'server' }) : undefined
    }
    if (socket.authorized) return undefined
    return certificateError(socket.authorizationError, 'server', 'client')
  }
}
