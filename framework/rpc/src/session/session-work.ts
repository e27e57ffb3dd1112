import type { ChannelWork } from '@rystra/plugin'
import type { Incoming } from './incoming.js'
import type { OutgoingCalls } from './outgoing-calls.js'
import type { RpcSession } from './rpc-session.js'
import type { RpcStream } from './rpc-stream.js'
import type { Streams } from './streams.js'

/** What a drain waits for: calls of both sides and streams. Calls that wait for the next connection are not counted. */
export class SessionWork implements ChannelWork {
  readonly #session: Pick<RpcSession, 'goAway'>
  readonly #calls: OutgoingCalls
  readonly #streams: Streams
  readonly #incoming: Incoming
  #left: readonly RpcStream[] | undefined

  constructor(session: Pick<RpcSession, 'goAway'>, calls: OutgoingCalls, streams: Streams, incoming: Incoming) {
    this.#session = session
    this.#calls = calls
    this.#streams = streams
    this.#incoming = incoming
  }

  get inFlight(): number {
    const left = this.#left?.filter(({ closed }) => !closed).length
    return this.#incoming.size + (left ?? this.#calls.inFlight + this.#streams.size)
  }

  /** Calls and new streams go to another connection: these are what is left. */
  leave(streams: readonly RpcStream[]): void {
    this.#left = streams
  }

  goAway(): void {
    this.#session.goAway()
  }
}
