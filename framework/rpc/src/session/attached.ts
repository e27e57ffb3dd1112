import type { RpcError } from '../error.js'
import type { ClockPings } from './clock-pings.js'
import { Connection, type ConnectionEvents } from './connection.js'
import { Incoming } from './incoming.js'
import type { OutgoingCalls } from './outgoing-calls.js'
import type { OutgoingMessages } from './outgoing-messages.js'
import type { RpcChannel } from './port.js'
import type { Received } from './received.js'
import type { SessionHost } from './session-host.js'
import { SessionWork } from './session-work.js'
import type { RpcSettings } from './settings.js'
import type { Streams } from './streams.js'

/** A session that connections are attached to. */
export interface AttachedTo extends SessionHost, Pick<ConnectionEvents, 'onError' | 'onCredit' | 'onGoAway'> {
  goAway(): void
  /** Whether calls of this side go to this connection. */
  isPresent(attached: Attached): boolean
  onClose(attached: Attached, error?: Error): void
}

/** What all connections of a session share. */
export interface AttachedParts {
  readonly settings: RpcSettings
  readonly calls: OutgoingCalls
  readonly messages: OutgoingMessages
  readonly streams: Streams
  readonly pings: ClockPings
}

/** One connection of a session: the present one, or one whose link is drained, which answers what the other side asks until it is over. */
export class Attached implements ConnectionEvents {
  readonly connection: Connection
  readonly work: SessionWork
  readonly incoming: Incoming
  readonly #session: AttachedTo
  readonly #messages: OutgoingMessages
  readonly #pings: ClockPings

  constructor(
    session: AttachedTo,
    channel: Pick<RpcChannel, 'stream' | 'onClosing' | 'work'>,
    { settings, calls, messages, streams, pings }: AttachedParts
  ) {
    this.#session = session
    this.#messages = messages
    this.#pings = pings
    this.connection = new Connection(channel.stream, settings, this)
    this.incoming = new Incoming(session, this.connection, settings)
    this.work = new SessionWork(session, calls, streams, this.incoming)
    channel.onClosing = () => this.connection.onEnd()
    channel.work = this.work
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
    this.#messages.response(received)
  }

  onError(...args: [number, RpcError, Parameters<ConnectionEvents['onError']>[2]]): void {
    this.#session.onError(...args)
  }

  waitsFor(id: number): boolean {
    return this.#messages.waitsFor(id)
  }

  onCredit(): void {
    if (this.#session.isPresent(this)) this.#session.onCredit()
  }

  onGoAway(error: RpcError): void {
    if (this.#session.isPresent(this)) this.#session.onGoAway(error)
  }

  onPong(t0: number, t1: number, t2: number): void {
    if (this.#session.isPresent(this)) this.#pings.pong({ t0, t1, t2 })
  }

  onClose(error?: Error): void {
    // The first write of a connection may end it, before there is one.
    ;(this.incoming as Incoming | undefined)?.end()
    this.#session.onClose(this, error)
  }
}
