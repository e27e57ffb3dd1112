import { type Static, Type } from '@rystra/plugin'
import { INITIAL_WINDOW } from './frame.js'

const KiB = 1024
const MiB = 1024 * KiB

export const YamuxOptions = Type.Object({
  maxStreams: Type.Integer({
    default: 16_384,
    minimum: 1,
    maximum: 1_000_000,
    description:
      'Streams of one session, opened by either side. Ten thousand visitors and some; what the other side opens beyond is reset.'
  }),
  maxWindow: Type.Integer({
    default: 16 * MiB,
    minimum: INITIAL_WINDOW,
    maximum: 256 * MiB,
    description:
      'Bytes a stream may have on the way at the most; each starts with 256 KiB and grows with its speed. 16 MiB carry 2 Gbit/s over 50 ms.'
  }),
  maxSessionBuffer: Type.Integer({
    default: 256 * MiB,
    minimum: MiB,
    description:
      'Bytes received and not read yet, all streams of a session together. Windows grow into half of it; the other half is room for 512 visitors who stopped reading. Beyond it the stream that holds the most is reset.'
  }),
  keepAliveInterval: Type.Integer({
    default: 15_000,
    minimum: 0,
    description:
      'Milliseconds of silence after which the other side is pinged; below the 30 s of the strictest NATs. 0 never pings.'
  }),
  keepAliveTimeout: Type.Integer({
    default: 20_000,
    minimum: 10,
    description: 'Milliseconds it has to say anything after a ping. A full buffer on a slow line needs some seconds.'
  }),
  openTimeout: Type.Integer({
    default: 75_000,
    minimum: 10,
    description:
      'Milliseconds until the other side has to acknowledge a new stream: as in hashicorp/yamux, as long as TCP tries.'
  }),
  closeTimeout: Type.Integer({
    default: 3_600_000,
    minimum: 0,
    description:
      'Milliseconds a stream that this side has ended may go on without a single byte from the other. Late answers are legal, so it is an hour. 0 waits for ever.'
  }),
  backlog: Type.Integer({
    default: 256,
    minimum: 1,
    maximum: 65_536,
    description:
      'Streams opened and not acknowledged yet; further ones wait. hashicorp/yamux resets what exceeds its 256.'
  }),
  frameSize: Type.Integer({
    default: 64 * KiB,
    minimum: 4 * KiB,
    maximum: MiB,
    description: 'Bytes a stream may send at a time while others wait. A smaller one is fairer, a larger one cheaper.'
  })
})
export type YamuxOptions = Static<typeof YamuxOptions>
