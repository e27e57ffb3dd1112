import type { Binding } from './binding.js'
import type { ConnectionEvents } from './connection-events.js'
import { EVENT, EVENT_COLUMNS, MAX_EVENTS } from './link-binding.js'
import type { LinkEvents } from './link-events.js'
import { loadNative } from './load.js'

/** Memory of the reads of connections: of one batch, behind each other. */
const READS_BYTES = 512 * 1024

/** A number of 64 bits, in two columns. */
const wide = (rows: Int32Array, at: number): number =>
  ((rows[at] as number) >>> 0) * 2 ** 32 + ((rows[at + 1] as number) >>> 0)

/** What epoll tells of the links and connections of a thread. */
export class Engine {
  readonly binding: Binding
  readonly links = new Map<number, LinkEvents>()
  readonly connections = new Map<number, ConnectionEvents>()
  readonly #take: () => Buffer
  readonly #rows = new Int32Array(EVENT_COLUMNS * MAX_EVENTS)
  #memory: Buffer
  /** What connections are read into; made with the first. */
  #reads: Buffer | undefined
  /** Frames are being told: the native part is ahead of JavaScript. */
  delivering = false

  constructor(binding: Binding, take: () => Buffer) {
    this.binding = binding
    this.#take = take
    this.#memory = take()
  }

  start(): boolean {
    return this.binding.yamuxSetup(this.#memory, this.#rows, (count, more) => this.#deliver(count, more))
  }

  /** Before the first connection. */
  readConnections(): void {
    if (this.#reads !== undefined) return
    this.#reads = Buffer.allocUnsafeSlow(READS_BYTES)
    this.binding.connectionMemory(this.#reads)
  }

  /** @param more call follows: what was told is not all yet */
  #deliver(count: number, more: boolean): void {
    this.delivering = true
    for (let at = 0; at < count * EVENT_COLUMNS; at += EVENT_COLUMNS) {
      try {
        this.#tell(this.#rows[at] as number, at)
      } catch (error) {
        // The events behind it may be of others.
        process.nextTick(() => {
          throw error
        })
      }
    }
    this.delivering = more
  }

  #tell(number: number, at: number): void {
    const kind = this.#rows[at + 1] as number
    if (kind >= EVENT.connectionOpen) {
      const connection = this.connections.get(number)
      if (connection !== undefined) this.#tellConnection(connection, kind, at)
    } else {
      const link = this.links.get(number)
      if (link !== undefined) this.#tellLink(link, kind, at)
    }
  }

  #tellConnection(connection: ConnectionEvents, kind: number, at: number): void {
    const a = this.#rows[at + 2] as number
    switch (kind) {
      case EVENT.connectionOpen:
        connection.onOpen()
        break
      case EVENT.connectionBytes:
        connection.onBytes(this.#reads as Buffer, a, this.#rows[at + 3] as number)
        break
      case EVENT.connectionEnd:
        connection.onEnd()
        break
      case EVENT.connectionWritable:
        connection.onSent()
        break
      default:
        this.connections.delete(this.#rows[at] as number)
        connection.onClosed(a)
    }
  }

  #tellLink(link: LinkEvents, kind: number, at: number): void {
    const rows = this.#rows
    const a = rows[at + 2] as number
    const b = rows[at + 3] as number
    const c = rows[at + 4] as number
    switch (kind) {
      case EVENT.bytes:
        if (link.onFrames(this.#memory, a, b, c === 0)) {
          this.#memory = this.#take()
          this.binding.yamuxMemory(this.#memory)
        }
        break
      case EVENT.linkEnd:
        link.onEnd()
        break
      case EVENT.linkLost:
        link.onLost(a)
        break
      case EVENT.writable:
        link.onWritable()
        break
      case EVENT.acknowledged:
        link.onAcknowledged(a >>> 0)
        break
      case EVENT.endSent:
        link.onEndSent(a >>> 0)
        break
      case EVENT.endReceived:
        link.onEndReceived(a >>> 0)
        break
      case EVENT.over:
        link.onOver(a >>> 0, b, wide(rows, at + 4), wide(rows, at + 6))
        break
      case EVENT.ready:
        link.onReady(a >>> 0)
        break
      case EVENT.answer:
        link.onAnswer(a >>> 0)
        break
      default:
        link.onViolation(a >>> 0, b === 1)
    }
  }
}

/** A binary, and its engine: `false` where it has none. One, as of what {@link loadNative} keeps. */
type Kept = Binding & { engine?: Engine | false }

/** @param take memory to read links into */
export const engineOf = (take: () => Buffer): Engine | undefined => {
  const binding: Kept | undefined = loadNative()?.binding
  if (binding === undefined) return undefined
  if (binding.engine === undefined) {
    const made = new Engine(binding, take)
    binding.engine = made.start() && made
  }
  return binding.engine || undefined
}
