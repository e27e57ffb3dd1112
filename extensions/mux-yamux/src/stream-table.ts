import { RystraError, type Side } from '@rystra/plugin'
import { MAX_U32 } from './frame.js'
import type { YamuxStream } from './stream.js'

/** The id of the control stream: the client opens it first. */
const CONTROL_ID = 1

/** The streams of a session by id. The client opens odd ids, the server even ones. */
export class StreamTable extends Map<number, YamuxStream> {
  readonly #remoteParity: number
  #nextId: number
  /** Whether the first stream is the control stream. */
  #controlled: boolean | undefined

  constructor(side: Side, firstId = side === 'client' ? 1 : 2) {
    super()
    this.#remoteParity = side === 'client' ? 0 : 1
    this.#nextId = firstId
  }

  add(stream: YamuxStream): void {
    this.#controlled ??= stream.id === CONTROL_ID
    this.set(stream.id, stream)
  }

  /** Without the control stream. */
  get counted(): number {
    return this.size - (this.#controlled && this.has(CONTROL_ID) ? 1 : 0)
  }

  /** The id of the next stream of this side. */
  takeId(): number {
    const id = this.#nextId
    this.#nextId += 2
    return id
  }

  /** Why this side may open no more while so many streams wait for it. */
  refusal(waiting: number, maxStreams: number): RystraError | undefined {
    if (this.size + waiting >= maxStreams) return new RystraError('stream.limit')
    const exhausted = this.#nextId + 2 * waiting > MAX_U32
    return exhausted ? new RystraError('mux.closed', { detail: 'stream ids exhausted' }) : undefined
  }

  /** Whether the peer may open a stream by this id. */
  openable(id: number): boolean {
    return id !== 0 && id % 2 === this.#remoteParity && !this.has(id)
  }
}
