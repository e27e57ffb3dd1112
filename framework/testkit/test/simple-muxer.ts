import { type ByteLink, type Muxer, type PeerInfo, RystraError, type Side, type StreamLink } from '@rystra/plugin'
import { Duplex } from 'node:stream'

/** What is wrong with a {@link simpleMuxer}. Each breaks what one case of the kit is about. */
export type MuxFlaw =
  | 'deaf-server'
  | 'deaf-client'
  | 'loses-empty-end'
  | 'loses-after-2-MiB'
  | 'at-most-50-streams'
  | 'other-order'
  | 'head-of-line'
  | 'no-window-server'
  | 'no-window-client'
  | 'huge-window'
  | 'whole-headers-only'
  | 'whole-bodies-only'
  | 'impatient'
  | 'forgets-what-came'
  | 'no-half-close-server'
  | 'no-half-close-client'
  | 'error-at-end'
  | 'end-for-reset-opener'
  | 'end-for-reset-taker'
  | 'end-for-destroy'
  | 'resets-all'
  | 'never-forgets'
  | 'going-resets'
  | 'going-ignored-server'
  | 'ignores-signal'
  | 'closes-at-once'
  | 'closes-half'
  | 'ends-on-close'
  | 'lazy-destroy'
  | 'tells-twice'
  | 'tells-early'
  | 'tolerates-garbage'
  | 'keeps-unwanted'
  | 'miscounts'
  | 'leaks-aborted'
  | 'at-most-400-streams'
  /** Frames of data of exactly so many bytes lose the last one. */
  | `loses-one-of-${number}`

const HEADER = 9
const WINDOW = 131_072
const FRAME = 32_768
const [OPEN, DATA, END, RESET, CREDIT, AWAY, CLOSE] = [1, 2, 3, 4, 5, 6, 7]

type Done = (error?: Error | null) => void
const resetBy = (end: string): Error => Object.assign(new Error(`reset by ${end}`), { code: 'ECONNRESET' })

class SimpleStream extends Duplex {
  credit: number
  #owed = 0
  #waiting: { chunk: Buffer; done: Done } | undefined
  #sent = 0
  ended = false
  endSent = false

  constructor(
    readonly link: SimpleLink,
    readonly id: number,
    readonly opener: boolean
  ) {
    super({ allowHalfOpen: link.flaw !== `no-half-close-${link.side}` })
    this.credit = link.window
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const size = Math.min(chunk.length, this.credit, FRAME)
    if (size === 0) {
      this.#waiting = { chunk, done }
      return
    }
    this.credit -= size
    this.#sent += size
    const rest = chunk.subarray(size)
    const next =
      rest.length === 0 ? done : (error?: Error | null) => (error ? done(error) : this._write(rest, 'binary', done))
    this.link.data(this.id, chunk.subarray(0, size), this.#sent, next)
  }

  granted(credit: number): void {
    this.credit += credit
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) this._write(waiting.chunk, 'binary', waiting.done)
  }

  arrived(chunk: Buffer): void {
    this.#owed += chunk.length
    if (!this.push(chunk) && this.link.flaw === 'head-of-line') this.link.hold()
  }

  override _read(): void {
    if (this.link.flaw === 'head-of-line') this.link.letGo()
    if (this.#owed === 0 || this.ended) return
    this.link.send(CREDIT, this.id, Buffer.alloc(4).fill(0), this.#owed)
    this.#owed = 0
  }

  endCame(): void {
    this.ended = true
    this.push(null)
    if (this.endSent) this.link.over(this)
  }

  override _final(done: Done): void {
    this.endSent = true
    if (this.link.flaw !== 'loses-empty-end' || this.#sent > 1) this.link.send(END, this.id)
    if (this.ended) this.link.over(this)
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    const { flaw } = this.link
    const clean = this.ended && this.endSent && error === null
    const asEnd =
      (flaw === 'end-for-reset-opener' && this.opener) ||
      (flaw === 'end-for-reset-taker' && !this.opener) ||
      (flaw === 'end-for-destroy' && error === null)
    if (!clean && this.link.knows(this)) this.link.send(asEnd ? END : RESET, this.id)
    if (flaw !== 'never-forgets' || clean) this.link.over(this)
    this.#waiting?.done(error ?? resetBy('this side'))
    done(flaw === 'error-at-end' ? resetBy('mistake') : error)
  }
}

class SimpleLink implements StreamLink {
  readonly kind = 'streams'
  readonly peer: PeerInfo
  onStream: ((stream: Duplex) => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  readonly window: number
  readonly #duplex: Duplex
  readonly #streams = new Map<number, SimpleStream>()
  #next: number
  #came: Buffer = Buffer.alloc(0)
  #away = false
  #theyClosed = false
  #closing = false
  #closeReported = false
  #error: Error | undefined
  #first: number | undefined

  constructor(
    link: ByteLink,
    readonly side: Side,
    readonly flaw: MuxFlaw | undefined,
    /** The first stream is for control messages if the client opens it, and not counted. */
    readonly native: boolean
  ) {
    this.peer = link.peer
    this.#duplex = link.duplex
    this.#next = side === 'server' ? 1 : 2
    const unbound = flaw === `no-window-${side}` || flaw === 'head-of-line'
    this.window = unbound ? Number.POSITIVE_INFINITY : flaw === 'huge-window' ? 1_900_000 : WINDOW
    if (flaw === 'forgets-what-came') link.duplex.read()
    link.duplex.on('data', (chunk: Buffer) => this.#take(chunk))
    link.duplex.on('error', (error: Error) => {
      this.#error ??= error
    })
    link.duplex.on('end', () => link.duplex.end())
    link.duplex.on('close', () => this.#gone())
    link.duplex.resume()
  }

  get streams(): number {
    const control = this.native && this.#first === 2 && this.#streams.has(2) ? 1 : 0
    return this.#streams.size - control + (this.flaw === 'miscounts' && this.#streams.size > 50 ? 1 : 0)
  }

  async open(signal?: AbortSignal): Promise<Duplex> {
    if (this.flaw !== 'ignores-signal') signal?.throwIfAborted()
    const shut = this.#away || this.#closing || this.#closeReported
    if (shut) throw new RystraError('mux.closed')
    const most = this.flaw === 'at-most-50-streams' ? 50 : this.flaw === 'at-most-400-streams' ? 400 : Infinity
    if (this.#streams.size >= most) throw new RystraError('stream.limit')
    const stream = new SimpleStream(this, this.#next, true)
    this.#first ??= stream.id
    this.#next += 2
    this.#streams.set(stream.id, stream)
    this.send(OPEN, stream.id)
    if (this.flaw === 'leaks-aborted') {
      stream.on('error', () => {})
      await new Promise((resolve) => setTimeout(resolve, 1))
      signal?.throwIfAborted()
    }
    return stream
  }

  goAway(): void {
    this.send(AWAY, 0)
    if (this.flaw === 'going-resets') for (const stream of this.#streams.values()) stream.destroy(resetBy('going'))
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#away = true
    for (const stream of this.#streams.values()) {
      if (this.flaw === 'ends-on-close') stream.end().endCame()
      else if (
        !stream.writableEnded ||
        this.flaw === 'closes-at-once' ||
        (this.flaw === 'closes-half' && !stream.ended)
      )
        stream.destroy(resetBy('close'))
    }
    if (this.#streams.size === 0) this.#finish()
  }

  destroy(error?: Error): void {
    this.#error ??= error
    if (this.flaw === 'lazy-destroy') this.goAway()
    else this.#duplex.destroy()
  }

  knows(stream: SimpleStream): boolean {
    return this.#streams.get(stream.id) === stream && !this.#duplex.destroyed
  }

  over(stream: SimpleStream): void {
    if (this.#streams.delete(stream.id) && this.#closing && this.#streams.size === 0) this.#finish()
  }

  hold(): void {
    this.#duplex.pause()
  }

  letGo(): void {
    this.#duplex.resume()
  }

  data(id: number, body: Buffer, sent: number, done: Done): void {
    const lost = this.flaw === `loses-one-of-${body.length}` && sent > 1
    const tired = this.flaw === 'loses-after-2-MiB' && sent > 2_097_152
    this.send(DATA, id, lost || tired ? body.subarray(1) : body, undefined, done)
  }

  send(type: number, id: number, body: Buffer = Buffer.alloc(0), credit?: number, done?: Done): void {
    if (this.#duplex.destroyed || this.#duplex.writableEnded) {
      done?.(resetBy('link'))
      return
    }
    if (this.flaw === 'impatient') this.#watch()
    const frame = Buffer.alloc(HEADER + body.length)
    frame.writeUInt32BE(id, 0)
    frame[4] = type
    frame.writeUInt32BE(body.length, 5)
    body.copy(frame, HEADER)
    if (credit !== undefined) frame.writeUInt32BE(credit, HEADER)
    this.#duplex.write(frame, done)
  }

  /** Takes a link that does not move for a lost one. */
  #watch(turns = 25): void {
    if (this.#duplex.writableLength === 0) return
    if (turns === 0) this.#duplex.destroy()
    else setImmediate(() => this.#watch(turns - 1))
  }

  #finish(): void {
    this.send(CLOSE, 0)
    this.#duplex.end()
    this.#duplex.resume()
  }

  #take(chunk: Buffer): void {
    if (this.flaw === 'whole-headers-only' && chunk.length < HEADER && this.#came.length === 0) return
    this.#came = Buffer.concat([this.#came, chunk])
    while (this.#came.length >= HEADER) {
      const end = HEADER + this.#came.readUInt32BE(5)
      if (end > HEADER + FRAME && this.flaw !== 'tolerates-garbage') {
        this.#broken()
        return
      }
      if (this.#came.length < end) {
        if (this.flaw === 'whole-bodies-only') this.#came = Buffer.alloc(0)
        return
      }
      this.#frame(this.#came[4] as number, this.#came.readUInt32BE(0), this.#came.subarray(HEADER, end))
      this.#came = this.#came.subarray(end)
    }
  }

  #broken(): void {
    this.#error ??= new RystraError('mux.protocol')
    this.#duplex.destroy(this.#error)
  }

  #frame(type: number, id: number, body: Buffer): void {
    const stream = this.#streams.get(id)
    if (type === OPEN) this.#opened(id)
    else if (type === DATA) stream?.arrived(Buffer.from(body))
    else if (type === END) stream?.endCame()
    else if (type === CREDIT) stream?.granted(body.readUInt32BE(0))
    else if (type === AWAY) this.#away = this.flaw !== 'going-ignored-server' || this.side === 'client'
    else if (type === CLOSE) {
      this.#theyClosed = true
      this.#away = true
    } else if (type === RESET) {
      const hit = this.flaw === 'resets-all' ? [...this.#streams.values()] : [stream]
      for (const each of hit) {
        if (each === undefined) continue
        if (this.flaw !== 'never-forgets') this.#streams.delete(each.id)
        each.destroy(resetBy('peer'))
      }
    } else this.#broken()
  }

  #opened(id: number): void {
    if (this.flaw === `deaf-${this.side}`) return
    if (this.onStream === undefined && this.flaw !== 'keeps-unwanted') {
      this.send(RESET, id)
      return
    }
    const stream = new SimpleStream(this, id, false)
    this.#first ??= id
    this.#streams.set(id, stream)
    if (this.onStream === undefined) stream.on('error', () => {})
    if (this.flaw === 'other-order') setTimeout(() => this.onStream?.(stream), 60 - id)
    else this.onStream?.(stream)
  }

  #gone(): void {
    if (this.#closeReported) return
    this.#closeReported = true
    if (this.flaw === 'tells-early') this.onClose?.(this.#error)
    for (const stream of this.#streams.values()) {
      this.#streams.delete(stream.id)
      stream.destroy(resetBy('link'))
    }
    const orderly = this.#closing || this.#theyClosed
    const error = orderly ? undefined : (this.#error ?? resetBy('link'))
    if (this.flaw !== 'tells-early') this.onClose?.(error)
    if (this.flaw === 'tells-twice') this.onClose?.(error)
  }
}

/** A muxer that is no more than right: for the kit to be tried on. */
export const simpleMuxer = (flaw?: MuxFlaw, native = false): Muxer => ({
  name: 'simple',
  wrap: (link, side) => new SimpleLink(link, side, flaw, native)
})
