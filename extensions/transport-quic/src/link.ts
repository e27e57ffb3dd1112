import { type MuxerStats, type PeerInfo, RystraError, type Side } from '@rystra/plugin'
import { hostPort } from '@rystra/address'
import type { Duplex } from 'node:stream'
import { Alarm } from './alarm.js'
import type { HostPort, Path, QuicheConnection } from './binding.js'
import { Datagrams } from './datagrams.js'
import { alertFor, Close, whyClosed } from './errors.js'
import { Handshake } from './handshake.js'
import type { HostedLink, LinkHost } from './link-host.js'
import type { QuicOptions } from './options.js'
import { Outbox } from './outbox.js'
import { PathMtu } from './path-mtu.js'
import { Remote } from './remote.js'
import { ACK_PACKET_BYTES, StreamTable } from './streams.js'

/** Time to send queued data when a link is closed. */
const LINGER_MS = 3000

/** Consecutive timeouts without a received packet after which the packet size is reduced. */
const MAX_TIMEOUTS = 3

/** A connection with its state in quiche. All work is done in {@link turn}, at most once per turn of the event loop. */
export class QuicLink implements HostedLink {
  readonly kind = 'streams'
  readonly side: Side
  readonly options: QuicOptions
  readonly early: boolean
  readonly connection: QuicheConnection
  readonly datagrams: Datagrams
  readonly mtu: PathMtu
  /** The peer, for errors. */
  readonly where: string
  /** A packet was received since the last check. */
  heard = true
  /** More than acknowledgements was received. */
  active = false
  closed = false

  readonly #host: LinkHost
  readonly #streams: StreamTable
  readonly #outbox: Outbox
  readonly #handshake: Handshake
  readonly #alarm = new Alarm(() => this.#timeout())
  #deadline: NodeJS.Timeout | undefined
  /** The path as quiche knows it, constant. */
  readonly #path: Path
  readonly #remote: Remote
  #from: HostPort
  #silent = 0
  #ready = false
  #closing = false
  #error: Error | undefined
  #onClose: ((error?: Error) => void) | undefined

  constructor(host: LinkHost, connection: QuicheConnection, peer: HostPort, local: HostPort) {
    this.#host = host
    this.side = host.side
    this.options = host.options
    this.early = host.early
    this.connection = connection
    this.where = `quic ${hostPort(peer.host, peer.port)}`
    this.#path = { from: peer, to: local }
    this.#from = peer
    this.#remote = new Remote(peer)
    this.mtu = new PathMtu(host.options.maxPacket, () => this.wake())
    this.datagrams = new Datagrams(this)
    this.#streams = new StreamTable(this)
    this.#outbox = new Outbox(this, host)
    this.#handshake = new Handshake(connection, host)
    this.#deadline = setTimeout(
      () => this.leave(Close.aborted, this.#failed('handshake timed out')),
      host.options.handshakeTimeout
    ).unref()
  }

  get peer(): PeerInfo {
    const { host, port } = this.#remote.address
    return { address: host, port, tls: this.#handshake.facts }
  }

  get streams(): number {
    return this.#streams.count
  }

  stats(): MuxerStats {
    return this.#streams.stats()
  }

  get onStream(): ((stream: Duplex) => void) | undefined {
    return this.#streams.onStream
  }

  set onStream(take) {
    this.#streams.takenBy(take)
  }

  get onClose(): ((error?: Error) => void) | undefined {
    return this.#onClose
  }

  set onClose(tell) {
    this.#onClose = tell
    if (this.closed) this.#tell()
  }

  open(signal?: AbortSignal): Promise<Duplex> {
    if (this.closed || this.#closing) return Promise.reject(new RystraError('mux.closed', { cause: this.#error }))
    return this.#streams.open(signal)
  }

  goAway(): void {
    if (!this.closed) this.#streams.goAway()
  }

  close(): void {
    if (this.closed || this.#closing) return
    this.#closing = true
    this.#streams.goAway()
    this.#streams.refuse(new RystraError('mux.closed'))
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.leave(Close.done, undefined), LINGER_MS).unref()
    this.wake()
  }

  destroy(error?: Error): void {
    this.leave(Close.aborted, error)
  }

  /** Whether datagrams are sent and received. */
  get carries(): boolean {
    return this.#handshake.done && !this.closed
  }

  /** Whether it was handed to the server or client. */
  get handedOut(): boolean {
    return this.#ready
  }

  wake(): void {
    if (!this.closed) this.#host.wake(this)
  }

  /** A packet of this link. Its memory is overwritten. */
  receive(packet: Buffer, host: string, port: number): void {
    if (this.closed) return
    const moved = !this.#remote.is(host, port)
    // Addresses do not change before the handshake is complete, RFC 9000 section 9.
    if (moved && !this.#handshake.done) return
    if (!this.#handshake.done && !this.#handshake.admits(packet.length)) {
      this.destroy(this.#failed('handshake too large'))
      return
    }
    const good = moved ? this.connection.stats().recv : 0
    this.#from = moved ? { host, port } : this.#remote.address
    this.heard = true
    this.active ||= packet.length > ACK_PACKET_BYTES
    this.#silent = 0
    try {
      this.connection.recv(packet, this.#path)
    } catch (error) {
      this.#host.log.debug({ err: error, peer: this.where }, 'quic: protocol violation of the peer')
    }
    if (moved) {
      const probe = this.connection.stats().recv > good ? this.#remote.probe(host, port) : undefined
      if (probe !== undefined) this.#host.sendPlain(probe, { host, port })
      // The answer is valid only with the source address of its packet.
      if (this.connection.isReadable()) this.datagrams.readAll()
    }
    this.datagrams.packet(packet.length)
    this.#streams.received(packet.length)
    this.wake()
  }

  /** The peer has received the probe at a new address. */
  arrived(token: Uint8Array): void {
    if (!this.#remote.answered(token, this.#from)) return
    this.#host.log.debug({ peer: this.#remote.address }, 'quic: the peer has a new address')
    this.moved()
  }

  turn(): void {
    if (this.closed) return
    if (!this.#handshake.done) this.#advanceHandshake()
    if (this.#ready) this.#work()
    if (this.closed) return
    this.flush()
    if (this.connection.isDraining() || this.connection.isClosed()) {
      this.drop(whyClosed(this.connection, this.side, this.where))
    } else if (this.#closing && !this.#streams.sending && this.#settled) this.leave(Close.done, undefined)
  }

  /** One of the addresses has changed. */
  moved(): void {
    this.mtu.reset()
    this.ping()
  }

  /** Sends an ack-eliciting packet. */
  ping(): void {
    this.connection.sendAckEliciting()
    this.wake()
  }

  /** Closes the connection with a code. */
  leave(code: number, error: Error | undefined): void {
    if (this.closed) return
    this.#closeWith(true, code)
    this.drop(error)
  }

  #closeWith(app: boolean, code: number): void {
    try {
      this.connection.close(app, code, Buffer.alloc(0))
    } catch {
      // Already closing.
    }
    this.flush()
  }

  #advanceHandshake(): void {
    try {
      const step = this.#handshake.check(this)
      if (step === undefined) return
      if (step === 'done') {
        if (!this.#closing) clearTimeout(this.#deadline)
        this.#host.confirmed(this)
      }
      if (this.#ready || this.closed) return
      this.#ready = true
      this.#host.ready(this)
    } catch (error) {
      this.#closeWith(false, alertFor(error))
      this.drop(error as Error)
    }
  }

  readonly #failed = (detail: string): RystraError =>
    new RystraError('connect.unreachable', { detail: `${this.where}, ${detail}` })

  #work(): void {
    this.#streams.writeAll()
    if (this.connection.isReadable()) {
      this.#streams.readAll(this.#handshake.done)
      if (this.#handshake.done) this.datagrams.readAll()
    }
  }

  /** Sends pending packets, up to a fair share. */
  flush(): void {
    const { done } = this.#handshake
    if (done && !this.#closing) this.#outbox.probe(this.#remote.address)
    if (this.#outbox.send(this.#remote.address, !done)) this.wake()
    this.#alarm.in(this.connection.timeout())
  }

  /** Nothing is in flight: only the idle timeout, which is far away, is pending. */
  get #settled(): boolean {
    const left = this.connection.timeout()
    return left === null || left > this.options.idleTimeout / 2
  }

  /** Whether an answer of the peer is outstanding. */
  get waiting(): boolean {
    return !this.closed && !this.#settled
  }

  #timeout(): void {
    if (this.closed) return
    this.connection.onTimeout()
    this.#silent += 1
    if (this.#silent === MAX_TIMEOUTS) {
      this.mtu.shrink()
      this.datagrams.purge()
    }
    this.wake()
  }

  /** Drops the connection without a close frame. */
  drop(error?: Error): void {
    if (this.closed) return
    this.closed = true
    this.#error = error
    this.#alarm.stop()
    this.mtu.stop()
    clearTimeout(this.#deadline)
    this.#streams.cutAll(new RystraError('mux.closed', { cause: error }))
    this.#host.gone(this, error)
    this.#tell()
  }

  /** The caller of `destroy` is not called back synchronously. */
  #tell(): void {
    queueMicrotask(() => {
      const tell = this.#onClose
      this.#onClose = undefined
      tell?.(this.#error)
    })
  }
}
