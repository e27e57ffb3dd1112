import { RystraError, type Side } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { QuicheConnection } from './binding.js'
import { Reset } from './errors.js'
import type { QuicOptions } from './options.js'
import { borrow } from './scratch.js'
import { type Signal, Signals } from './signals.js'
import { PreAuthBudget, StreamCredit } from './stream-limits.js'
import { QuicStream, SHARE, type StreamHost, shut } from './stream.js'

/** Bytes of the first stream handed on before the handshake is complete: a Hello. */
const MAX_EARLY_BYTES = 16 * 1024

/** Packets up to this size carry acknowledgements rather than stream data. Overhead of larger ones. */
export const ACK_PACKET_BYTES = 200
const OVERHEAD_BYTES = 40

/** Blocked streams up to this number are polled; of more quiche is asked which are writable. */
const MAX_POLLED = 64

/** Half-closed streams checked per turn. */
const CHECKS_PER_TURN = 16

const NOTHING = Buffer.alloc(0)

const noMore = (): RystraError => new RystraError('mux.closed', { detail: 'peer accepts no more streams' })

/** What the streams need of their link. */
export interface TableHost {
  readonly connection: QuicheConnection
  readonly side: Side
  readonly options: QuicOptions
  wake(): void
  /** Sends pending packets at once. */
  flush(): void
  destroy(error: Error): void
}

/** The streams of a link: reading, writing, accepting. */
export class StreamTable implements StreamHost {
  /** Streams of the peer are refused. */
  #away = false
  readonly #host: TableHost
  readonly #streams = new Map<number, QuicStream>()
  /** Streams with data that quiche did not accept, the last sender last. */
  readonly #blocked = new Set<QuicStream>()
  /** Streams that only the peer has ended: their reset would not be noticed. */
  readonly #idle = new Set<QuicStream>()
  /** Streams with unread data, the one unread for longest first. */
  readonly #stalled = new Set<QuicStream>()
  /** Ids below {@link #nextRemote} that were not seen yet. */
  readonly #expected = new Set<number>()
  readonly #credit: StreamCredit
  readonly #signals: Signals
  /** Ends of streams that were not seen yet. */
  readonly #ends = new Map<number, number>()
  #nextOwn: number
  #nextRemote: number
  #controlled: boolean | undefined
  /** The peer accepts no more streams. */
  #peerAway = false
  #early = MAX_EARLY_BYTES
  /** Approximate unread bytes. */
  #unread = 0
  readonly #preAuth = new PreAuthBudget()
  onStream: ((stream: Duplex) => void) | undefined

  constructor(host: TableHost) {
    this.#host = host
    this.#credit = new StreamCredit(host.options.openTimeout, () => this.connection.peerStreamsLeftBidi() > 0)
    this.#signals = new Signals(host, (signal) => this.#signalled(signal))
    this.#nextOwn = host.side === 'client' ? 0 : 1
    this.#nextRemote = 1 - this.#nextOwn
  }

  /** The client's first stream carries control messages and is not counted. */
  get count(): number {
    return this.#streams.size - (this.#controlled && this.#streams.has(0) ? 1 : 0)
  }

  /** Bytes that quiche has not accepted, and their streams. */
  stats(): { readonly queued: number; readonly blocked: number } {
    let queued = 0
    for (const stream of this.#blocked) queued += stream.queued
    return { queued, blocked: this.#blocked.size }
  }

  /** Whether data waits for quiche. */
  get sending(): boolean {
    return this.#blocked.size > 0
  }

  open(signal: AbortSignal | undefined): Promise<Duplex> {
    if (this.#peerAway) return Promise.reject(noMore())
    if (signal?.aborted === true) return Promise.reject(new RystraError('stream.reset', { detail: 'aborted' }))
    if (this.#credit.size >= this.#host.options.maxStreams) return Promise.reject(new RystraError('stream.limit'))
    return this.#credit.turn(() => this.#open().duplex, signal)
  }

  #open(): QuicStream {
    const stream = new QuicStream(this.#nextOwn, this)
    // Allocates the id without sending.
    this.connection.streamSend(stream.id, NOTHING, false)
    this.#nextOwn += 4
    this.#add(stream)
    return stream
  }

  #add(stream: QuicStream): void {
    this.#controlled ??= stream.id === 0
    this.#streams.set(stream.id, stream)
  }

  /** Accepting streams after the first means that the peer is authenticated. */
  takenBy(onStream: ((stream: Duplex) => void) | undefined): void {
    this.onStream = onStream
    if (onStream !== undefined && this.#controlled !== undefined) this.#preAuth.lift()
  }

  /** A packet was received. */
  received(bytes: number): void {
    if (this.#controlled !== undefined && this.onStream !== undefined) this.#preAuth.lift()
    const tooMuch = this.#host.side === 'server' ? this.#preAuth.received(bytes) : undefined
    if (tooMuch !== undefined) this.#host.destroy(tooMuch)
    if (bytes > ACK_PACKET_BYTES) this.#unread += bytes - OVERHEAD_BYTES
    if (this.#credit.size > 0) this.#credit.serveAll()
  }

  /** Hands on readable data. Before the handshake is complete only the beginning of the first stream. */
  readAll(confirmed: boolean): void {
    let more = false
    for (const id of this.connection.readable()) {
      if (!confirmed && id !== 0) continue
      if (id % 4 > 1) {
        if (confirmed) this.#signals.read(id)
        continue
      }
      const stream = this.#streams.get(id) ?? this.#accept(id)
      if (stream === undefined) continue
      if (stream.paused) {
        this.#stalled.add(stream)
        stream.probe()
        continue
      }
      this.#stalled.delete(stream)
      if (confirmed) more = stream.readable() >= SHARE || more
      else if (this.#early > 0) this.#early -= stream.readable(this.#early)
    }
    if (more) this.#host.wake()
    else if (this.#stalled.size === 0 && confirmed) this.#unread = 0
    this.#relieve()
  }

  /** Resets the stream that was unread for longest when the limit is exceeded. */
  #relieve(): void {
    const most = this.#host.options.maxSessionBuffer
    if (this.#unread <= most) return
    const [first] = this.#stalled
    if (first === undefined) return
    this.#unread -= Math.max(this.#host.options.streamWindow, Math.floor(most / this.#stalled.size))
    first.reset(new RystraError('stream.limit', { detail: 'too many unread bytes' }))
  }

  /** Writes blocked streams, and checks half-closed ones. */
  writeAll(): void {
    this.#signals.write()
    if (this.#blocked.size > MAX_POLLED) {
      for (const id of this.connection.writable()) {
        const stream = this.#streams.get(id)
        if (stream !== undefined && this.#blocked.has(stream)) this.#write(stream)
      }
    } else if (this.#blocked.size > 0) for (const stream of [...this.#blocked]) this.#write(stream)
    if (this.#idle.size === 0) return
    let checks = CHECKS_PER_TURN
    for (const stream of [...this.#idle]) {
      this.#idle.delete(stream)
      if (stream.halfClosed) {
        stream.probe()
        if (stream.halfClosed) this.#idle.add(stream)
      }
      checks -= 1
      if (checks === 0) break
    }
  }

  #write(stream: QuicStream): void {
    this.#blocked.delete(stream)
    stream.writable()
    if (stream.waiting) this.#blocked.add(stream)
  }

  #accept(id: number): QuicStream | undefined {
    const remote = this.#host.side === 'server' ? 0 : 1
    const next = this.#nextRemote
    if (id % 4 === remote && id >= next) {
      for (let skipped = next; skipped < id; skipped += 4) this.#expected.add(skipped)
      this.#nextRemote = id + 4
    } else if (!this.#expected.delete(id)) {
      this.#discard(id)
      return undefined
    }
    const onStream = this.onStream
    if (this.#away || onStream === undefined) {
      shut(this.connection, id, Reset.refused)
      this.#host.wake()
      return undefined
    }
    const stream = new QuicStream(id, this)
    this.#add(stream)
    const size = this.#ends.get(id)
    this.#ends.delete(id)
    onStream(stream.duplex)
    if (size !== undefined) stream.endsAt(size)
    return this.#streams.has(id) ? stream : undefined
  }

  /** Tells the peer to open no more streams. */
  goAway(): void {
    if (this.#away) return
    this.#away = true
    this.#signals.send({ kind: 'away' })
  }

  #signalled(signal: Signal): void {
    if (signal.kind === 'away') {
      this.#peerAway = true
      this.#credit.refuse(noMore())
      return
    }
    const { id } = signal
    const stream = this.#streams.get(id)
    if (signal.kind === 'reset') {
      stream?.cutByPeer()
      return
    }
    const { size } = signal
    if (stream !== undefined) stream.endsAt(size)
    else if ((id >= this.#nextRemote || this.#expected.has(id)) && this.#ends.size < this.#host.options.maxStreams) {
      this.#ends.set(id, size)
    }
  }

  /** Discards data of a closed stream. */
  #discard(id: number): void {
    try {
      borrow((memory) => {
        while (this.connection.streamRecv(id, memory) !== null);
      })
    } catch {
      // It was reset.
    }
  }

  /** Rejects waiting streams. */
  refuse(error: Error): void {
    this.#credit.refuse(error)
  }

  /** The link is closed. */
  cutAll(error: Error): void {
    this.#credit.refuse(error)
    for (const stream of [...this.#streams.values()]) stream.cut(error)
  }

  get connection(): QuicheConnection {
    return this.#host.connection
  }

  wake(): void {
    this.#host.wake()
  }

  blocked(stream: QuicStream): void {
    this.#blocked.add(stream)
  }

  idle(stream: QuicStream): void {
    this.#idle.add(stream)
  }

  read(bytes: number): void {
    this.#unread = Math.max(0, this.#unread - bytes)
  }

  ended(stream: QuicStream, size: number): void {
    this.#signals.send({ kind: 'end', id: stream.id, size })
    this.#host.flush()
  }

  resetAfterEnd(stream: QuicStream): void {
    this.#signals.send({ kind: 'reset', id: stream.id })
  }

  over(stream: QuicStream): void {
    this.#streams.delete(stream.id)
    this.#blocked.delete(stream)
    this.#idle.delete(stream)
    this.#stalled.delete(stream)
  }
}
