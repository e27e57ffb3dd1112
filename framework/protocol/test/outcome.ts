import { isRystraError } from '@rystra/model'
import { FrameDecoder, type Message } from '@rystra/protocol'

/** What a decoder made of some bytes: messages, then the error if there was one. */
export interface Outcome {
  readonly messages: Message[]
  /** `code: detail`. Anything thrown that is not a RystraError is thrown on. */
  readonly error?: string
  /** The most bytes that the decoder held between two pushes. */
  readonly held: number
}

/** Gives the pieces to a decoder one by one, each in memory that is overwritten as soon as the decoder is through. */
export const outcomeOf = (pieces: Iterable<Uint8Array>, limit: number): Outcome => {
  const decoder = new FrameDecoder(limit)
  const messages: Message[] = []
  let held = 0
  let pushed = 0
  try {
    for (const piece of pieces) {
      const memory = new Uint8Array(piece)
      decoder.push(memory)
      pushed += memory.length
      for (let message = decoder.next(); message !== undefined; message = decoder.next()) {
        messages.push(message)
        if (messages.length > pushed) throw new Error('more messages than bytes')
      }
      memory.fill(0xa5)
      held = Math.max(held, decoder.held)
    }
  } catch (error) {
    if (!isRystraError(error)) throw error
    return { messages, error: `${error.code}: ${error.detail}`, held }
  }
  return { messages, held }
}

/** Cuts bytes at the given places, in any order. */
export const cutAt = (bytes: Uint8Array, places: readonly number[]): Uint8Array[] => {
  const sorted = [0, ...places.filter((place) => place <= bytes.length).sort((a, b) => a - b), bytes.length]
  return sorted.slice(1).map((end, index) => bytes.subarray(sorted[index], end))
}

export const eachByte = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (byte) => Uint8Array.of(byte))
