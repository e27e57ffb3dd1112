import { type PeerInfo, RystraError, type Side, type StreamLink } from '@rystra/plugin'
import { hostPort } from '@rystra/net'
import type { Duplex } from 'node:stream'
import { Alarm } from './alarm.js'
import type { HostPort, Path, QuicheConnection } from './binding.js'
import { Datagrams } from './datagrams.js'
import { alertFor, Close, whyClosed } from './errors.js'
import { Handshake } from './handshake.js'
import type { LinkHost } from './link-host.js'
import type { QuicOptions } from './options.js'
import { Outbox } from './outbox.js'
import { PathMtu } from './path-mtu.js'
import { Remote } from './remote.js'
import { SMALL, StreamTable } from './streams.js'
import type { Turning } from './turns.js'

/** Milliseconds that are left to what is queued when a link is closed. */
const LINGER = 3000

/** Time-outs in a row, without a packet in between, after which the packets may be too large. */
const LOST = 3

/** A connection, whose state is quiche's. Everything is done in {@link turn}, at most once in a turn of the event loop. */
export class QuicLink implements StreamLink, Turning {
  readonly kind = 'streams'
  readonly side: Side
  readonly options: QuicOptions
  readonly connection: QuicheConnection
  readonly datagrams: Datagrams
  readonly mtu: PathMtu
  /** Where the other end is, for errors. */
  readonly where: string
  /** Something came since somebody looked. */
  heard = true
  /** Something came that was more than an acknowledgement. */
  active = false
  over = false

  readonly #host: LinkHost
  readonly #streams: StreamTable
  readonly #outbox: Outbox
  readonly #handshake: Handshake
  readonly #alarm = new Alarm(() => this.#timeout())
  #deadline: NodeJS.Timeout | undefined
  /** As quiche knows it: the same for ever. */
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
      () => this.leave(Close.gaveUp, this.#failed('no answer in time')),
      host.options.handshakeTimeout
    ).unref()
  }

  // StreamLink

  get peer(): PeerInfo {
    const { host, port } = this.#remote.address
    return { address: host, port, tls: this.#handshake.facts }
  }

  get streams(): number {
    return this.#streams.count
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
    if (this.over) this.#tell()
  }

  open(signal?: AbortSignal): Promise<Duplex> {
    if (this.over || this.#closing) return Promise.reject(new RystraError('mux.closed', { cause: this.#error }))
    return this.#streams.open(signal)
  }

  goAway(): void {
    if (!this.over) this.#streams.goAway()
  }

  close(): void {
    if (this.over || this.#closing) return
    this.#closing = true
    this.#streams.goAway()
    this.#streams.refuse(new RystraError('mux.closed'))
    clearTimeout(this.#deadline)
    this.#deadline = setTimeout(() => this.leave(Close.done, undefined), LINGER).unref()
    this.wake()
  }

  destroy(error?: Error): void {
    this.leave(Close.gaveUp, error)
  }

  // What the host calls

  /** Whether messages may be sent, and are handed on. */
  get carries(): boolean {
    return this.#handshake.done && !this.over
  }

  /** Whether somebody has it. */
  get handedOut(): boolean {
    return this.#ready
  }

  wake(): void {
    if (!this.over) this.#host.wake(this)
  }

  /** A packet for this link. It is overwritten. */
  receive(packet: Buffer, host: string, port: number): void {
    if (this.over) return
    const moved = !this.#remote.is(host, port)
    // Nobody moves before the handshake is done, RFC 9000 section 9.
    if (moved && !this.#handshake.done) return
    if (!this.#handshake.done && !this.#handshake.admits(packet.length)) {
      this.destroy(this.#failed('the handshake is too large'))
      return
    }
    const good = moved ? this.connection.stats().recv : 0
    this.#from = moved ? { host, port } : this.#remote.address
    this.heard = true
    this.active ||= packet.length > SMALL
    this.#silent = 0
    try {
      this.connection.recv(packet, this.#path)
    } catch (error) {
      this.#host.log.debug({ err: error, peer: this.where }, 'quic: the other side broke the rules')
    }
    if (moved) {
      const question = this.connection.stats().recv > good ? this.#remote.question(host, port) : undefined
      if (question !== undefined) this.#host.sendPlain(question, { host, port })
      // The answer counts only with the packet that it came in.
      if (this.connection.isReadable()) this.datagrams.readAll()
    }
    this.#streams.received(packet.length)
    this.wake()
  }

  /** The other side has received our question at a new address. */
  arrived(token: Uint8Array): void {
    if (!this.#remote.answered(token, this.#from)) return
    this.#host.log.debug({ peer: this.#remote.address }, 'quic: the other side has another address')
    this.moved()
  }

  turn(): void {
    if (this.over) return
    if (!this.#handshake.done) this.#shake()
    if (this.#ready) this.#work()
    if (this.over) return
    this.flush()
    if (this.connection.isDraining() || this.connection.isClosed()) {
      this.drop(whyClosed(this.connection, this.side, this.where))
    } else if (this.#closing && !this.#streams.sending && this.#settled) this.leave(Close.done, undefined)
  }

  /** One of the addresses is another one. */
  moved(): void {
    this.mtu.reset()
    this.ping()
  }

  /** Says something that has to be acknowledged. */
  ping(): void {
    this.connection.sendAckEliciting()
    this.wake()
  }

  /** Ends it, and tells the other side. */
  leave(code: number, error: Error | undefined): void {
    if (this.over) return
    this.#closeWith(true, code)
    this.drop(error)
  }

  #closeWith(app: boolean, code: number): void {
    try {
      this.connection.close(app, code, Buffer.alloc(0))
    } catch {
      // It is closing already.
    }
    this.flush()
  }

  #shake(): void {
    try {
      const step = this.#handshake.look(this)
      if (step === undefined) return
      if (step === 'done') {
        if (!this.#closing) clearTimeout(this.#deadline)
        this.#host.confirmed(this)
      }
      if (this.#ready || this.over) return
      this.#ready = true
      this.#host.ready(this)
    } catch (error) {
      this.#closeWith(false, alertFor(error))
      this.drop(error as Error)
    }
  }

  readonly #failed = (detail: string): RystraError =>
    new RystraError('connect.unreachable', { detail: `${this.where}, ${detail}` })

  // The work of a turn

  #work(): void {
    this.#streams.writeAll()
    if (this.connection.isReadable()) {
      this.#streams.readAll(this.#handshake.done)
      if (this.#handshake.done) this.datagrams.readAll()
    }
  }

  /** Sends what there is, a fair share of it. */
  flush(): void {
    const { done } = this.#handshake
    if (done && !this.#closing) this.#outbox.probe(this.#remote.address)
    if (this.#outbox.send(this.#remote.address, !done)) this.wake()
    this.#alarm.in(this.connection.timeout())
  }

  /** Nothing waits for an acknowledgement: then only the idle time-out is left, which is far away. */
  get #settled(): boolean {
    const left = this.connection.timeout()
    return left === null || left > this.options.idleTimeout / 2
  }

  /** Whether something waits for an answer of the other side. */
  get waiting(): boolean {
    return !this.over && !this.#settled
  }

  #timeout(): void {
    if (this.over) return
    this.connection.onTimeout()
    this.#silent += 1
    if (this.#silent === LOST) {
      this.mtu.shrink()
      this.datagrams.purge()
    }
    this.turn()
  }

  /** Ends it, and tells the other side nothing. */
  drop(error?: Error): void {
    if (this.over) return
    this.over = true
    this.#error = error
    this.#alarm.stop()
    this.mtu.stop()
    clearTimeout(this.#deadline)
    this.#streams.cutAll(new RystraError('mux.closed', { cause: error }))
    this.#host.gone(this, error)
    this.#tell()
  }

  /** Whoever gives a link up is not called back while doing so. */
  #tell(): void {
    queueMicrotask(() => {
      const tell = this.#onClose
      this.#onClose = undefined
      tell?.(this.#error)
    })
  }
}
