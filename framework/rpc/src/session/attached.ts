import type { RpcError } from '../error.js'
import type { Connection, ConnectionEvents } from './connection.js'
import type { Incoming } from './incoming.js'
import type { Received } from './received.js'
import type { SessionWork } from './session-work.js'

/** What of a connection concerns its session. */
export interface AttachedTo extends Omit<ConnectionEvents, 'onRequest' | 'onEvent' | 'onCancel' | 'onClose'> {
  /** Whether calls of this side go to this connection. */
  isPresent(attached: Attached): boolean
  onClose(attached: Attached, error?: Error): void
}

/** One connection of a session: the present one, or one whose link is drained, which answers what the other side asks until it is over. */
export class Attached implements ConnectionEvents {
  connection!: Connection
  incoming!: Incoming
  work!: SessionWork
  readonly #session: AttachedTo

  constructor(session: AttachedTo) {
    this.#session = session
  }

  onRequest(received: Received): void {
    this.incoming.request(received)
  }

  onEvent(received: Received, cost: number): void {
    this.incoming.event(received, cost)
  }

  onCancel(id: number): void {
    this.incoming.cancel(id)
  }

  onResponse(received: Received): void {
    this.#session.onResponse(received)
  }

  onError(...args: [number, RpcError, Parameters<ConnectionEvents['onError']>[2]]): void {
    this.#session.onError(...args)
  }

  waitsFor(id: number): boolean {
    return this.#session.waitsFor(id)
  }

  onCredit(): void {
    if (this.#session.isPresent(this)) this.#session.onCredit()
  }

  onGoAway(error: RpcError): void {
    if (this.#session.isPresent(this)) this.#session.onGoAway(error)
  }

  onPong(sent: number, received: number, answered: number): void {
    if (this.#session.isPresent(this)) this.#session.onPong(sent, received, answered)
  }

  onClose(error?: Error): void {
    this.#session.onClose(this, error)
  }
}
