import { RystraError, type Side } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { QuicheConnection } from './binding.js'
import { Reset } from './errors.js'
import type { QuicOptions } from './options.js'
import { borrow } from './scratch.js'
import { type Signal, Signals } from './signals.js'
import { Stranger } from './stranger.js'
import { QuicStream, SHARE, type StreamHost, shut } from './stream.js'
import { Waiting } from './waiting.js'

/** Bytes of the first stream that are handed on before the handshake is done: a Hello and then some. */
const EARLY = 16 * 1024

/** Packets of this size and less carry acknowledgements, not bytes of streams. What else a packet carries. */
export const SMALL = 200
const OVERHEAD = 40

/** Up to so many streams that wait to send are asked one by one; of more quiche is asked which can. */
const FEW = 64

/** Half-closed streams that are looked at in a turn. */
const LOOKS = 16

const NOTHING = Buffer.alloc(0)

const noMore = (): RystraError => new RystraError('mux.closed', { detail: 'the other side accepts no more streams' })

/** What the streams need of their link. */
export interface TableHost {
  readonly connection: QuicheConnection
  readonly side: Side
  readonly options: QuicOptions
  wake(): void
  /** Sends at once what can be sent. */
  flush(): void
  destroy(error: Error): void
}

/** The streams of a link: who may read, who may write, who may come. */
export class StreamTable implements StreamHost {
  /** What the other side opens is refused. */
  #away = false
  readonly #host: TableHost
  readonly #streams = new Map<number, QuicStream>()
  /** Have more to send than quiche took. The one that sent last is the last. */
  readonly #blocked = new Set<QuicStream>()
  /** Have been ended by the other side, and by this one not: nothing would tell that they were given up. */
  readonly #idle = new Set<QuicStream>()
  /** Have bytes that nobody reads. The one that has not been read for longest is the first. */
  readonly #stalled = new Set<QuicStream>()
  /** Ids below {@link #nextTheirs} that were not seen yet. */
  readonly #expected = new Set<number>()
  readonly #waiting: Waiting
  readonly #signals: Signals
  /** Where streams end that were not seen yet. */
  readonly #ends = new Map<number, number>()
  #nextOwn: number
  #nextTheirs: number
  #controlled: boolean | undefined
  /** The other side has said that it accepts no more. */
  #awayThere = false
  #early = EARLY
  /** Bytes that came and were not read, roughly. */
  #unread = 0
  readonly #stranger = new Stranger()
  onStream: ((stream: Duplex) => void) | undefined

  constructor(host: TableHost) {
    this.#host = host
    this.#waiting = new Waiting(host.options.openTimeout, () => this.connection.peerStreamsLeftBidi() > 0)
    this.#signals = new Signals(host, (signal) => this.#signalled(signal))
    this.#nextOwn = host.side === 'client' ? 0 : 1
    this.#nextTheirs = 1 - this.#nextOwn
  }

  /** Where the first stream is the client's, it is for control messages, and not counted. */
  get count(): number {
    return this.#streams.size - (this.#controlled && this.#streams.has(0) ? 1 : 0)
  }

  /** Whether somebody has bytes that quiche has not taken. */
  get sending(): boolean {
    return this.#blocked.size > 0
  }

  open(signal: AbortSignal | undefined): Promise<Duplex> {
    if (this.#awayThere) return Promise.reject(noMore())
    if (signal?.aborted === true) return Promise.reject(new RystraError('stream.reset', { detail: 'given up' }))
    if (this.#waiting.size >= this.#host.options.maxStreams) return Promise.reject(new RystraError('stream.limit'))
    return this.#waiting.turn(() => this.#open().duplex, signal)
  }

  #open(): QuicStream {
    const stream = new QuicStream(this.#nextOwn, this)
    // Takes the id, and sends nothing yet.
    this.connection.streamSend(stream.id, NOTHING, false)
    this.#nextOwn += 4
    this.#add(stream)
    return stream
  }

  #add(stream: QuicStream): void {
    this.#controlled ??= stream.id === 0
    this.#streams.set(stream.id, stream)
  }

  /** Whoever takes streams after the first has let the other side in. */
  takenBy(onStream: ((stream: Duplex) => void) | undefined): void {
    this.onStream = onStream
    if (onStream !== undefined && this.#controlled !== undefined) this.#stranger.letIn()
  }

  /** A packet came. */
  received(bytes: number): void {
    if (this.#controlled !== undefined && this.onStream !== undefined) this.#stranger.letIn()
    const tooMuch = this.#host.side === 'server' ? this.#stranger.sent(bytes) : undefined
    if (tooMuch !== undefined) this.#host.destroy(tooMuch)
    if (bytes > SMALL) this.#unread += bytes - OVERHEAD
    if (this.#waiting.size > 0) this.#waiting.look()
  }

  /** Hands on what can be read. Before the handshake is confirmed: the beginning of the first stream, and nothing else. */
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

  /** Too much is unread: gives up the stream that has not been read for longest. */
  #relieve(): void {
    const most = this.#host.options.maxSessionBuffer
    if (this.#unread <= most) return
    const [first] = this.#stalled
    if (first === undefined) return
    this.#unread -= Math.max(this.#host.options.streamWindow, Math.floor(most / this.#stalled.size))
    first.reset(new RystraError('stream.limit', { detail: 'too many bytes wait to be read' }))
  }

  /** Lets those send that wait, and looks whether half-closed streams are still wanted. */
  writeAll(): void {
    this.#signals.write()
    if (this.#blocked.size > FEW) {
      for (const id of this.connection.writable()) {
        const stream = this.#streams.get(id)
        if (stream !== undefined && this.#blocked.has(stream)) this.#write(stream)
      }
    } else if (this.#blocked.size > 0) for (const stream of [...this.#blocked]) this.#write(stream)
    if (this.#idle.size === 0) return
    let looks = LOOKS
    for (const stream of [...this.#idle]) {
      this.#idle.delete(stream)
      if (stream.halfClosed) {
        stream.probe()
        if (stream.halfClosed) this.#idle.add(stream)
      }
      looks -= 1
      if (looks === 0) break
    }
  }

  #write(stream: QuicStream): void {
    this.#blocked.delete(stream)
    stream.writable()
    if (stream.waiting) this.#blocked.add(stream)
  }

  #accept(id: number): QuicStream | undefined {
    const theirs = this.#host.side === 'server' ? 0 : 1
    const next = this.#nextTheirs
    if (id % 4 === theirs && id >= next) {
      for (let skipped = next; skipped < id; skipped += 4) this.#expected.add(skipped)
      this.#nextTheirs = id + 4
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

  /** Tells the other side to open no more. */
  goAway(): void {
    if (this.#away) return
    this.#away = true
    this.#signals.send({ kind: 'away' })
  }

  #signalled(signal: Signal): void {
    if (signal.kind === 'away') {
      this.#awayThere = true
      this.#waiting.refuse(noMore())
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
    else if ((id >= this.#nextTheirs || this.#expected.has(id)) && this.#ends.size < this.#host.options.maxStreams) {
      this.#ends.set(id, size)
    }
  }

  /** What still comes on a stream that is over here. */
  #discard(id: number): void {
    try {
      borrow((memory) => {
        while (this.connection.streamRecv(id, memory) !== null);
      })
    } catch {
      // It was reset: then nothing more comes.
    }
  }

  /** No more are opened. */
  refuse(error: Error): void {
    this.#waiting.refuse(error)
  }

  /** The link is gone. */
  cutAll(error: Error): void {
    this.#waiting.refuse(error)
    for (const stream of [...this.#streams.values()]) stream.cut(error)
  }

  // StreamHost

  get connection(): QuicheConnection {
    return this.#host.connection
  }

  wake(): void {
    this.#host.wake()
  }

  blocked(stream: QuicStream): void {
    this.#blocked.add(stream)
    this.#host.wake()
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

  gaveUp(stream: QuicStream): void {
    this.#signals.send({ kind: 'reset', id: stream.id })
  }

  over(stream: QuicStream): void {
    this.#streams.delete(stream.id)
    this.#blocked.delete(stream)
    this.#idle.delete(stream)
    this.#stalled.delete(stream)
  }
}
