import type { CountedStream } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import type { Channel, ChannelInfo, ChannelWork } from '@rystra/plugin'
import type { CountedFlow } from './datagram-flows.js'
import { OutgoingStream } from './outgoing-stream.js'

/** Where the channels of a session have what is called when it drains or closes. */
export interface ChannelCalls {
  ending(channel: Channel): (() => void) | undefined
  setEnding(channel: Channel, end: (() => void) | undefined): void
  work(channel: Channel): ChannelWork | undefined
  setWork(channel: Channel, work: ChannelWork | undefined): void
}

/** A class, since an object with a getter of its own takes 400 bytes more. */
export class AttachedChannel implements Channel {
  readonly info: ChannelInfo
  readonly stream: CountedStream
  readonly accepted: Promise<void>
  readonly #flow: CountedFlow | undefined
  readonly #channels: ChannelCalls

  constructor(info: ChannelInfo, stream: CountedStream, flow: CountedFlow | undefined, channels: ChannelCalls) {
    this.info = info
    this.stream = stream
    this.#flow = flow
    this.#channels = channels
    // A refusal is the error of `onClose`.
    this.accepted =
      stream instanceof OutgoingStream ? stream.ready().catch(() => new Promise<void>(() => {})) : acceptedHere
  }

  get datagrams(): CountedFlow | undefined {
    return this.stream instanceof OutgoingStream && !this.stream.hasDatagrams ? undefined : this.#flow
  }

  get onClosing(): (() => void) | undefined {
    return this.#channels.ending(this)
  }

  set onClosing(end: (() => void) | undefined) {
    this.#channels.setEnding(this, end)
  }

  get work(): ChannelWork | undefined {
    return this.#channels.work(this)
  }

  set work(work: ChannelWork | undefined) {
    this.#channels.setWork(this, work)
  }

  close(error: Error = new RystraError('stream.reset')): void {
    this.stream.fail(error)
  }
}

const acceptedHere = Promise.resolve()
