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
      'Maximum of streams of a session, opened by either side; further ones of the peer are reset. Default: 16384, enough for ten thousand visitors.'
  }),
  maxWindow: Type.Integer({
    default: 16 * MiB,
    minimum: INITIAL_WINDOW,
    maximum: 256 * MiB,
    description:
      'Largest window of a stream in bytes; it starts at 256 KiB and grows with the speed. Default: 16777216, 2 Gbit/s over 50 ms.'
  }),
  maxSessionBuffer: Type.Integer({
    default: 256 * MiB,
    minimum: MiB,
    description:
      'Unread bytes of all streams of a session; beyond it the stream with the most is reset. Windows grow into half of it. Default: 268435456, room for 512 stalled visitors.'
  }),
  keepAliveInterval: Type.Integer({
    default: 15_000,
    minimum: 0,
    description: 'Milliseconds between two pings; 0 for no pings. Default: 15000, below the 20 s of strict middleboxes.'
  }),
  keepAliveTimeout: Type.Integer({
    default: 20_000,
    minimum: 10,
    description:
      'Milliseconds after a ping until any data must arrive. Default: 20000: a full buffer on a slow line takes seconds.'
  }),
  openTimeout: Type.Integer({
    default: 75_000,
    minimum: 10,
    description: 'Milliseconds until the peer must acknowledge a new stream. Default: 75000, as in hashicorp/yamux.'
  }),
  closeTimeout: Type.Integer({
    default: 3_600_000,
    minimum: 0,
    description:
      'Milliseconds that a stream ended by this side may be silent until it is reset; 0 for no limit. Default: 3600000, as late answers are legal.'
  }),
  backlog: Type.Integer({
    default: 256,
    minimum: 1,
    maximum: 65_536,
    description: 'Maximum of unacknowledged streams; further ones wait. Default: 256: hashicorp/yamux resets more.'
  }),
  native: Type.Boolean({
    default: true,
    description:
      'Move the bytes of links over TCP and TLS and their sockets by the native part (@rystra/native), where it has a binary for the platform. Default: true.'
  }),
  frameSize: Type.Integer({
    default: 64 * KiB,
    minimum: 4 * KiB,
    maximum: MiB,
    description:
      'Bytes a stream sends per turn while others wait, its header included; up to 262144 on a link of the native part that takes them at once. Default: 65536; smaller is fairer, larger cheaper.'
  })
})
export type YamuxOptions = Static<typeof YamuxOptions>
