import { RystraError, type TlsFacts } from '@rystra/plugin'
import type { Socket } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { certificateError, tlsError } from './errors.js'
import { tlsFacts } from './facts.js'
import { firstBytes, plainAlert, plainHttpAnswer } from './first-bytes.js'
import { HandshakeLog } from './handshake-log.js'
import { showResets } from './resets.js'
import type { TlsHost } from './options.js'
import type { ServerTls } from './server-tls.js'

/** Time a refused peer has to read the answer. */
const CLOSE_TIMEOUT_MS = 1000

/** Options of {@link TlsAcceptor}. */
export interface TlsAcceptorOptions {
  readonly tls: ServerTls
  /** Served protocols. A client that offers only others is refused; one that offers none is accepted. */
  readonly alpn: readonly string[]
  readonly host: Pick<TlsHost, 'log' | 'clock'>
  /** Milliseconds from the connection to the end of the handshake. @default 10000 */
  readonly handshakeTimeout?: number
  /** Maximum of handshakes in progress; one more evicts the oldest. @default 1024, some 100 MiB at worst */
  readonly handshakes?: number
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

interface PendingHandshake {
  readonly socket: Socket
  readonly peer: string
  readonly key: string
  readonly cancel: () => void
}

/** Identifies a connection, also from the TLS socket on top of it. */
const keyOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`

/** The server side of TLS for accepted connections. Handshakes in progress are bounded in number and time. */
export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  readonly #server: tls.Server
  readonly #log: HandshakeLog
  /** The oldest first. */
  readonly #pending = new Map<string, PendingHandshake>()

  constructor(options: TlsAcceptorOptions) {
    this.#options = options
    this.#log = new HandshakeLog(options.host.log, options.host.clock)
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
    const { handshakes = 1024, handshakeTimeout = 10_000, host } = this.#options
    if (this.#pending.size >= handshakes) {
      const [oldest] = this.#pending.values()
      if (oldest !== undefined) this.#abort(oldest, 'too many handshakes in progress')
    }
    const key = keyOf(socket)
    const peer = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`
    const cancel = host.clock.after(handshakeTimeout, () => this.#abort(one, 'handshake timed out'))
    const one: PendingHandshake = { socket, peer, key, cancel }
    this.#pending.set(key, one)
    socket.on('error', () => {})
    socket.once('close', () => this.#settle(one))
    this.#sniff(one)
  }

  /** Aborts handshakes in progress. Completed ones go on. */
  close(): void {
    this.#options.tls.onChange = undefined
    for (const one of [...this.#pending.values()]) this.#abort(one, 'listener closed')
  }

  #sniff(one: PendingHandshake): void {
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
      socket.removeListener('end', ended)
      if (kind === 'tls') {
        // With half-open allowed Node would wait after an end within the handshake.
        socket.allowHalfOpen = false
        socket.unshift(head)
        this.#server.emit('connection', socket)
      } else this.#refuse(one, kind === 'http' ? plainHttpAnswer : plainAlert)
    }
    const ended = (): void => void socket.destroy()
    socket.on('readable', read)
    socket.on('end', ended)
  }

  /** Keeps reading until the deadline: closing with unread bytes would reset the connection and lose the answer. */
  #refuse(one: PendingHandshake, answer: string | Buffer): void {
    this.#settle(one)
    const { socket } = one
    const cancel = this.#options.host.clock.after(CLOSE_TIMEOUT_MS, () => socket.destroy())
    socket.once('close', cancel)
    socket.end(answer)
    socket.resume()
    this.#log.failed(new RystraError('tls.not-tls', { side: 'server', detail: 'not TLS' }), one.peer)
  }

  #abort(one: PendingHandshake, detail: string): void {
    if (!this.#settle(one)) return
    this.#log.failed(new RystraError('tls.handshake', { side: 'server', detail }), one.peer)
    one.socket.destroy()
  }

  #settle(one: PendingHandshake): boolean {
    one.cancel()
    return this.#pending.get(one.key) === one && this.#pending.delete(one.key)
  }

  #failed(cause: Error, socket: TLSSocket): void {
    const one = this.#pending.get(keyOf(socket))
    socket.destroy()
    // Aborted handshakes, and peers without an address, are not reported.
    if (one === undefined) return
    this.#settle(one)
    this.#log.failed(tlsError(cause, 'server', 'handshake'), one.peer)
    one.socket.destroy()
  }

  #secured(socket: TLSSocket): void {
    const one = this.#pending.get(keyOf(socket))
    if (one === undefined) {
      socket.on('error', () => {}).destroy()
      return
    }
    this.#settle(one)
    socket.allowHalfOpen = true
    one.socket.allowHalfOpen = true
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
