import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import type { ConnectionEvents } from './connection-events.js'
import { type Engine, engineOf } from './engine.js'
import { COLUMNS, ROW } from './rows.js'

/** No descriptor is left for this process, or for the system. */
const FULL: ReadonlySet<number> = new Set([constants.errno.EMFILE, constants.errno.ENFILE])

const INT32_MAX = 2 ** 31 - 1

const rows = new Int32Array(2 * COLUMNS)

/** An address as it is connected to. */
export interface SocketAddress {
  readonly host: string
  readonly port: number
}

/** What {@link Connection.adopt} has taken. */
export interface Adopted {
  readonly connection: Connection
  readonly peer: SocketAddress
  readonly local: SocketAddress
}

/** A TCP connection that is read and written outside of Node's streams: its events come in batches. */
export class Connection {
  readonly #engine: Engine
  readonly #number: number

  private constructor(engine: Engine, number: number, events: ConnectionEvents) {
    this.#engine = engine
    this.#number = number
    engine.connections.set(number, events)
  }

  /**
   * Connects to a numeric address; `onOpen` or `onClosed` follows. `undefined` where there is no native part, or the
   * connection cannot even be tried, for want of a descriptor say.
   *
   * @param take memory for links, see `BatchedLink.open`
   */
  static dial({ host, port }: SocketAddress, events: ConnectionEvents, take: () => Buffer): Connection | undefined {
    const engine = engineOf(take)
    if (engine?.binding.parse(host, rows) !== true) return undefined
    engine.readConnections()
    rows[ROW.port] = port
    const number = engine.binding.connectionDial(rows)
    return number < 0 ? undefined : new Connection(engine, number, events)
  }

  /**
   * Takes a copy of the descriptor of a connected socket, and tells its addresses. `undefined` where there is no native part,
   * or the peer is gone already; `full` where the copy would be above `most`, or no descriptor is left for it.
   */
  static adopt(
    descriptor: number,
    events: ConnectionEvents,
    take: () => Buffer,
    most = Number.POSITIVE_INFINITY
  ): Adopted | 'full' | undefined {
    const engine = engineOf(take)
    if (engine === undefined) return undefined
    engine.readConnections()
    const number = engine.binding.connectionAdopt(descriptor, rows, Math.min(most, INT32_MAX))
    if (number < 0) return FULL.has(-number) ? 'full' : undefined
    const address = (at: number): SocketAddress => ({
      host: engine.binding.format(rows, at),
      port: rows[at + ROW.port] as number
    })
    return { connection: new Connection(engine, number, events), peer: address(0), local: address(COLUMNS) }
  }

  read(): void {
    this.#engine.binding.connectionRead(this.#number, 1)
  }

  pause(): void {
    this.#engine.binding.connectionRead(this.#number, 0)
  }

  /** Takes all, always. `false`: the rest is copied, and `onSent` follows. */
  write(buffer: Buffer, start: number, end: number): boolean {
    return this.#engine.binding.connectionWrite(this.#number, buffer, start, end)
  }

  /** Ends it behind what was written. */
  end(): void {
    this.#engine.binding.connectionEnd(this.#number)
  }

  /** Resets it. Nothing is reported any more. */
  close(): void {
    this.#engine.binding.connectionClose(this.#number)
    this.#engine.connections.delete(this.#number)
  }

  /**
   * Its descriptor, for a stream that is joined with it, or {@link unpark}; `undefined` while bytes wait. Nothing is reported any
   * more, so that what was read and not reported yet is lost: no reader has been set, or it is paused, or nothing has come.
   */
  park(): number | undefined {
    const descriptor = this.#engine.binding.connectionPark(this.#number)
    if (descriptor < 0) return undefined
    this.#engine.connections.delete(this.#number)
    return descriptor
  }

  /** No stream has taken it: the descriptor is the caller's from now on. */
  unpark(): void {
    this.#engine.binding.connectionUnpark(this.#number)
  }

  /** Hands its descriptor over, which is the caller's from now on; `undefined` while bytes wait. Nothing is reported any more. */
  detach(): number | undefined {
    const descriptor = this.#engine.binding.connectionDetach(this.#number)
    if (descriptor < 0) return undefined
    this.#engine.connections.delete(this.#number)
    return descriptor
  }
}

/** Closes a descriptor that {@link Connection.detach} has handed over. */
export const closeDescriptor = (descriptor: number): void => closeSync(descriptor)
