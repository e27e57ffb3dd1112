import type { Detached } from '@rystra/bytes'
import { type JoinedOpened, type JoinedOpening, RystraError, type StreamLink } from '@rystra/plugin'
import { Flag, Type } from './frame.js'
import type { NativeLink } from './native-link.js'
import type { PendingStreams } from './pending-streams.js'
import { type StreamHost, YamuxStream } from './stream.js'
import type { StreamTable } from './stream-table.js'

/** Opens the streams of this side. */
export class Outbound {
  readonly #host: StreamHost & { readonly pending: PendingStreams }
  readonly #streams: StreamTable
  readonly #maxStreams: number
  readonly #ended: () => Error | undefined

  /** @param ended why no more are opened */
  constructor(
    host: StreamHost & { readonly pending: PendingStreams },
    streams: StreamTable,
    maxStreams: number,
    ended: () => Error | undefined
  ) {
    this.#host = host
    this.#streams = streams
    this.#maxStreams = maxStreams
    this.#ended = ended
  }

  open(signal?: AbortSignal): Promise<YamuxStream> {
    const refusal = this.#refusal(signal)
    return refusal === undefined ? this.#host.pending.turn(() => this.#open(), signal) : Promise.reject(refusal)
  }

  /** See `StreamLink.openJoined`. */
  get openJoined(): StreamLink['openJoined'] {
    const { native, pending } = this.#host
    if (native === undefined || !pending.free || this.#refusal() !== undefined) return undefined
    return (socket, opening) => this.#openJoined(native, socket, opening)
  }

  #openJoined(native: NativeLink, socket: Detached, opening: JoinedOpening): JoinedOpened | undefined {
    const stream = new YamuxStream(this.#streams.takeId(), this.#host)
    const moved = stream.openJoined(native, socket, opening)
    if (moved === undefined) return undefined
    this.#add(stream)
    return { stream, moved }
  }

  #refusal(signal?: AbortSignal): Error | undefined {
    const ended = this.#ended()
    if (ended !== undefined) return ended
    if (signal?.aborted === true) return new RystraError('stream.reset', { detail: 'aborted' })
    return this.#streams.refusal(this.#host.pending.waiters, this.#maxStreams)
  }

  #open(): YamuxStream {
    const stream = new YamuxStream(this.#streams.takeId(), this.#host)
    this.#add(stream)
    this.#host.out.frame(Type.windowUpdate, Flag.syn, stream.id, 0)
    return stream
  }

  #add(stream: YamuxStream): void {
    this.#streams.add(stream)
    this.#host.pending.opened(stream)
    if (this.#streams.counted > 0) this.#host.keepAlive.measure()
  }
}
