/** Frames by their number on the wire. */
export const FrameType = Object.freeze({
  hello: 0x01,
  request: 0x02,
  response: 0x03,
  error: 0x04,
  event: 0x05,
  data: 0x06,
  cancel: 0x07,
  credit: 0x08,
  goAway: 0x09,
  ping: 0x0a,
  pong: 0x0b,
  open: 0x10,
  stream: 0x11,
  end: 0x12,
  reset: 0x13
} as const)

export type FrameTypeName = keyof typeof FrameType

/** Bits of the second byte. One that a type does not have must be 0. */
export const Flag = Object.freeze({
  /** The body goes on in Data frames. */
  more: 0x01,
  /** Metadata stand in front of the body. */
  metadata: 0x02,
  /** Milliseconds that are left to the caller. */
  deadline: 0x04,
  /** The name gets a number. */
  define: 0x08,
  /** Of a Data frame: it goes on with a response, not with a request or an event. */
  answer: 0x10,
  /** Of an error: the same call may succeed later. */
  retryable: 0x20,
  /** Of a Stream frame: it has a number. */
  seq: 0x40,
  /** Of a Stream frame: it has a time. Of an error: it says after how many milliseconds to try again. */
  time: 0x80
} as const)

/** The flags that each type may have. */
const allowed: readonly (number | undefined)[] = (() => {
  const { more, metadata, deadline, define, answer, retryable, seq, time } = Flag
  const table: (number | undefined)[] = []
  table[FrameType.hello] = metadata
  table[FrameType.request] = more | metadata | deadline | define
  table[FrameType.response] = more | metadata
  table[FrameType.error] = metadata | retryable | time
  table[FrameType.event] = more | metadata | define
  table[FrameType.data] = more | answer
  table[FrameType.cancel] = 0
  table[FrameType.credit] = 0
  table[FrameType.goAway] = retryable
  table[FrameType.ping] = 0
  table[FrameType.pong] = 0
  table[FrameType.open] = metadata
  table[FrameType.stream] = more | seq | time
  table[FrameType.end] = 0
  table[FrameType.reset] = retryable
  return table
})()

/** Whether a type is known, with flags that it has. */
export const isFrame = (type: number, flags: number): boolean => {
  const bits = allowed[type]
  return bits !== undefined && (flags & ~bits) === 0
}
