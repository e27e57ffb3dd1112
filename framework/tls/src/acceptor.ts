import { RystraError, type TlsFacts } from '@rystra/plugin'
import type { Socket } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { tlsError } from './errors.js'
import { tlsFacts } from './facts.js'
import { firstBytes, plainAlert, plainHttpAnswer } from './first-bytes.js'
import { HandshakeLog } from './handshake-log.js'
import { showResets } from './resets.js'
import type { ServerTls, TlsHost } from './server-tls.js'

/** Milliseconds somebody who is turned away has to take our last words. */
const FAREWELL = 1000

/** What {@link TlsAcceptor} does. */
export interface TlsAcceptorOptions {
  readonly tls: ServerTls
  /** What is served; who asks for nothing of it is refused, who asks for nothing at all is not. */
  readonly alpn: readonly string[]
  readonly host: Pick<TlsHost, 'log' | 'clock'>
  /** Milliseconds from the connection to the end of the handshake. @default 10000 */
  readonly handshakeTimeout?: number
  /** Handshakes under way; one more pushes out the oldest. @default 1024, which are some 100 MiB at worst */
  readonly handshakes?: number
  /** Somebody whose handshake is done, and whose certificate is good if one is required. `tcp` is what was taken. */
  onSocket(socket: TLSSocket, facts: TlsFacts, tcp: Socket): void
  /**
   * Somebody whose certificate is missing or not accepted, though it is required: tell them, and end. TLS alerts come too
   * late for that in Node. @default the connection is closed
   */
  onRefused?(socket: TLSSocket, error: RystraError): void
}

interface Undecided {
  readonly socket: Socket
  readonly peer: string
  readonly key: string
  readonly cancel: () => void
}

/** What tells connections apart, also after TLS was put on them. */
const keyOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`

/** The server's half of TLS for connections that others have accepted. Strangers cost little, and not for long. */
export class TlsAcceptor {
  readonly #options: TlsAcceptorOptions
  readonly #server: tls.Server
  readonly #log: HandshakeLog
  /** The oldest first. */
  readonly #undecided = new Map<string, Undecided>()

  constructor(options: TlsAcceptorOptions) {
    this.#options = options
    this.#log = new HandshakeLog(options.host.log, options.host.clock)
    this.#server = tls.createServer({
      ...options.tls.options,
      ALPNProtocols: [...options.alpn],
      // Decided below: so whoever is refused can be told why.
      rejectUnauthorized: false,
      // Node's begins anew with each byte. Ours does not.
      handshakeTimeout: 0
    })
    this.#server.on('secureConnection', (socket) => this.#secured(socket))
    this.#server.on('tlsClientError', (error, socket) => this.#failed(error, socket))
    options.tls.onChange = (context) => this.#server.setSecureContext(context)
  }

  /** Takes a connection over; what was read of it already is back in it. */
  take(socket: Socket): void {
    const { handshakes = 1024, handshakeTimeout = 10_000, host } = this.#options
    if (this.#undecided.size >= handshakes) {
      const [oldest] = this.#undecided.values()
      if (oldest !== undefined) this.#giveUp(oldest, 'too many handshakes at once')
    }
    const key = keyOf(socket)
    const peer = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`
    const cancel = host.clock.after(handshakeTimeout, () => this.#giveUp(one, 'it took too long'))
    const one: Undecided = { socket, peer, key, cancel }
    this.#undecided.set(key, one)
    socket.on('error', () => {})
    socket.once('close', () => this.#decided(one))
    this.#look(one)
  }

  /** Gives up what is undecided; the rest goes on. */
  close(): void {
    this.#options.tls.onChange = undefined
    for (const one of [...this.#undecided.values()]) this.#giveUp(one, 'the listener was closed')
  }

  #look(one: Undecided): void {
    const { socket } = one
    // Kept here until it is clear what it is: to put it back would make the socket readable again, and again.
    let head: Buffer = Buffer.alloc(0)
    const look = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read()) {
        head = head.length === 0 ? chunk : Buffer.concat([head, chunk])
      }
      const kind = firstBytes(head)
      if (kind === undefined) return
      socket.removeListener('readable', look)
      socket.removeListener('end', ended)
      if (kind === 'tls') {
        // Until the handshake is done an end is the end; with half-open allowed, Node would wait on.
        socket.allowHalfOpen = false
        socket.unshift(head)
        this.#server.emit('connection', socket)
      } else this.#turnAway(one, kind === 'http' ? plainHttpAnswer : plainAlert)
    }
    const ended = (): void => void socket.destroy()
    socket.on('readable', look)
    socket.on('end', ended)
  }

  /** Reads on until the deadline: to close over unread bytes would be a reset, which takes the answer with it. */
  #turnAway(one: Undecided, answer: string | Buffer): void {
    this.#decided(one)
    const { socket } = one
    const cancel = this.#options.host.clock.after(FAREWELL, () => socket.destroy())
    socket.once('close', cancel)
    socket.end(answer)
    socket.resume()
    this.#log.failed(new RystraError('tls.not-tls', { side: 'server', detail: 'what came is not TLS' }), one.peer)
  }

  #giveUp(one: Undecided, detail: string): void {
    if (!this.#decided(one)) return
    this.#log.failed(new RystraError('tls.handshake', { side: 'server', detail }), one.peer)
    one.socket.destroy()
  }

  #decided(one: Undecided): boolean {
    one.cancel()
    return this.#undecided.get(one.key) === one && this.#undecided.delete(one.key)
  }

  #failed(cause: Error, socket: TLSSocket): void {
    const one = this.#undecided.get(keyOf(socket))
    socket.destroy()
    // Of whoever was given up, or is gone so far that nobody knows the address, there is nothing to tell.
    if (one === undefined) return
    this.#decided(one)
    this.#log.failed(tlsError(cause, 'server', 'handshake'), one.peer)
    one.socket.destroy()
  }

  #secured(socket: TLSSocket): void {
    const one = this.#undecided.get(keyOf(socket))
    if (one === undefined) {
      socket.on('error', () => {}).destroy()
      return
    }
    this.#decided(one)
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

  /** What is wrong with the certificate of a client, if it was asked for one. */
  #refusal(socket: TLSSocket): RystraError | undefined {
    const { clientCert } = this.#options.tls
    if (clientCert === 'none') return undefined
    if (socket.getPeerX509Certificate() === undefined) {
      return clientCert === 'required' ? new RystraError('tls.certificate-required', { side: 'server' }) : undefined
    }
    if (socket.authorized) return undefined
    const reason: unknown = socket.authorizationError
    const code =
      typeof reason === 'string' ? reason : ((reason as NodeJS.ErrnoException | null)?.code ?? 'CERT_UNTRUSTED')
    const error = tlsError(Object.assign(new Error(code), { code }), 'server', 'of a client')
    return error.code.startsWith('tls.') ? error : new RystraError('tls.untrusted', { side: 'server', detail: code })
  }
}
