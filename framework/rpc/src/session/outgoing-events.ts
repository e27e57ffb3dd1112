import { rpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import { FrameType } from '../frame/types.js'
import type { Connection } from './connection.js'

/** Events that wait for credit. One more is refused. */
const MAX_WAITING_EVENTS = 10_000

interface Waiting {
  readonly id: number
  readonly name: string
  readonly data: unknown
  readonly metadata: Metadata | undefined
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** Events of this side: sent while the other side gives credit for them, else in order when it does. */
export class OutgoingEvents {
  #waiting: Waiting[] = []

  /** Nothing when it was sent at once. */
  send(
    connection: Connection,
    id: number,
    name: string,
    data: unknown,
    metadata: Metadata | undefined
  ): Promise<void> | undefined {
    if (connection.credit > 0 && this.#waiting.length === 0) {
      connection.credit -= connection.send.call(FrameType.event, id, name, 0, data, metadata)
      return undefined
    }
    if (this.#waiting.length >= MAX_WAITING_EVENTS)
      throw rpcError('rpc.busy', `${MAX_WAITING_EVENTS} events are waiting`)
    return new Promise((resolve, reject) => this.#waiting.push({ id, name, data, metadata, resolve, reject }))
  }

  /** There is credit again. */
  flush(connection: Connection): void {
    let sent = 0
    while (sent < this.#waiting.length && connection.credit > 0) {
      const { id, name, data, metadata, resolve, reject } = this.#waiting[sent++] as Waiting
      try {
        connection.credit -= connection.send.call(FrameType.event, id, name, 0, data, metadata)
        resolve()
      } catch (error) {
        reject(error as Error)
      }
    }
    if (sent > 0) this.#waiting = this.#waiting.slice(sent)
  }

  /** The connection is gone, and what waited with it: events are not sent again. */
  end(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { reject } of waiting) reject(rpcError('rpc.lost'))
  }
}
