import { HeadReader } from '../frame/head.js'
import { FrameType, isFrame } from '../frame/types.js'
import { FRAME_HEADER } from '../limits.js'
import { Reassembler } from '../stream/fragments.js'
import type { WireSettings } from './wire-settings.js'
import { MessageReader, type StreamMessage } from './stream-frames.js'
import { FRAGMENT } from './unreliable-sender.js'

/** Makes messages of datagrams. What is malformed is dropped: anything may happen to a datagram. */
export class UnreliableReader {
  readonly #messages: MessageReader
  readonly #head = new HeadReader()
  readonly #fragments = new Reassembler()

  constructor(settings: WireSettings) {
    this.#messages = new MessageReader(settings)
  }

  read(datagram: Buffer): StreamMessage | undefined {
    const frame = datagram[0] === FRAGMENT ? this.#fragments.push(datagram.subarray(1), performance.now()) : datagram
    if (frame === undefined || frame.length < FRAME_HEADER) return undefined
    const flags = frame[1] as number
    const whole = frame.readUInt16BE(2) === frame.length - FRAME_HEADER
    if (frame[0] !== FrameType.stream || !isFrame(FrameType.stream, flags) || !whole || (flags & 1) !== 0)
      return undefined
    try {
      const message = this.#messages.first(flags, this.#head.start(frame, FRAME_HEADER, frame.length))
      return message?.seq === undefined ? undefined : message
    } catch {
      return undefined
    }
  }
}
