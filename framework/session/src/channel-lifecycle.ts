import type { CountedStream } from '@rystra/bytes'
import type { GenerationRef } from '@rystra/kernel'
import { RystraError, toRystraError } from '@rystra/model'
import type { Channel, ChannelInfo, Clock } from '@rystra/plugin'
import { AttachedChannel, type ChannelCalls } from './attached-channel.js'
import type { CountedFlow } from './datagram-flows.js'

/** The channels of a session. */
interface Owner extends ChannelCalls {
  /** One that was counted is over. */
  ended(info: ChannelInfo): void
}

/** One channel at one end, from before its first byte until both hooks have been called. */
export class ChannelLifecycle {
  readonly #info: ChannelInfo
  readonly #generation: GenerationRef
  readonly #release: () => void
  readonly #clock: Clock
  readonly #since: number
  readonly #channels: Owner
  #stream: CountedStream | undefined
  #flow: CountedFlow | undefined
  #over = false

  constructor(info: ChannelInfo, generation: GenerationRef, clock: Clock, channels: Owner) {
    this.#info = info
    this.#generation = generation
    this.#release = generation.hold()
    this.#clock = clock
    this.#since = clock.now()
    this.#channels = channels
  }

  async admit(): Promise<void> {
    const denial = await this.#generation.calls.openChannel(this.#info)
    if (denial === undefined) return
    throw new RystraError('channel.refused', { side: this.#info.side, detail: denial.deny })
  }

  attach(stream: CountedStream, flow: CountedFlow | undefined): Channel {
    this.#stream = stream
    this.#flow = flow
    const channel = new AttachedChannel(this.#info, stream, flow, this.#channels)
    stream.onOver = (error) => {
      channel.onClosing = undefined
      channel.work = undefined
      this.over(error)
    }
    return channel
  }

  /** Tells the hook, once. */
  over(error: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#flow?.close()
    this.#generation.calls.closeChannel({
      ...this.#info,
      bytesSent: (this.#stream?.written ?? 0) + (this.#flow?.sent ?? 0),
      bytesReceived: (this.#stream?.received ?? 0) + (this.#flow?.received ?? 0),
      duration: this.#clock.now() - this.#since,
      ...(error === undefined ? {} : { error: toRystraError(error, 'stream.reset') })
    })
    this.#release()
    this.#channels.ended(this.#info)
  }
}
