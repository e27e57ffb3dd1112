import { type Static, Type } from '@rystra/plugin'

const KiB = 1024
const MiB = 1024 * KiB

/** What every network carries, RFC 9000 section 14.1. */
export const SMALLEST_PACKET = 1200

export const QuicOptions = Type.Object({
  maxPacket: Type.Integer({
    default: 1452,
    minimum: SMALLEST_PACKET,
    maximum: 65_507,
    description:
      'Bytes of the largest UDP payload that is sent, if a probe of that size gets through; until then 1200. 1452 is what Ethernet carries over IPv6.'
  }),
  idleTimeout: Type.Integer({
    default: 30_000,
    minimum: 1000,
    description: 'Milliseconds of silence after which a link is lost. The smaller one of both ends counts.'
  }),
  handshakeTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    description: 'Milliseconds a handshake may take.'
  }),
  keepAlive: Type.Integer({
    default: 12_000,
    minimum: 100,
    description:
      'Milliseconds of silence after which the client says something: some NATs forget a UDP mapping after 30 s, and a second try has to fit in.'
  }),
  rebindAfter: Type.Integer({
    default: 3000,
    minimum: 100,
    description:
      'Milliseconds without an answer after which the client goes on from another local port, then twice as many, and so on: the network may have changed.'
  }),
  maxStreams: Type.Integer({
    default: 16_384,
    minimum: 1,
    maximum: 1_000_000,
    description: 'Streams the other side may have open at a time. Ten thousand visitors and some.'
  }),
  openTimeout: Type.Integer({
    default: 75_000,
    minimum: 10,
    description: 'Milliseconds a new stream waits for the other side to allow one more.'
  }),
  streamWindow: Type.Integer({
    default: 512 * KiB,
    minimum: 16 * KiB,
    maximum: 64 * MiB,
    description: 'Bytes that may be on the way on a new stream.'
  }),
  maxWindow: Type.Integer({
    default: 16 * MiB,
    minimum: 64 * KiB,
    maximum: 256 * MiB,
    description: 'Bytes to which the window of a fast stream grows. 16 MiB carry 2 Gbit/s over 50 ms.'
  }),
  maxSessionBuffer: Type.Integer({
    default: 256 * MiB,
    minimum: MiB,
    description:
      'Bytes received and not read yet, all streams of a link together: room for 512 visitors who stopped reading. Beyond it the stream that has not been read for longest is reset.'
  }),
  socketBuffer: Type.Integer({
    default: 4 * MiB,
    minimum: 64 * KiB,
    maximum: 256 * MiB,
    description:
      'Bytes the kernel is asked to buffer for each UDP socket and direction. It gives less where net.core.rmem_max says so.'
  }),
  congestion: Type.Union([Type.Literal('cubic'), Type.Literal('reno'), Type.Literal('bbr')], {
    default: 'cubic',
    description: 'Congestion control.'
  }),
  earlyData: Type.Boolean({
    default: true,
    description: 'Whether a client that comes back sends its first message in 0-RTT, and whether a server takes it.'
  }),
  retryAbove: Type.Integer({
    default: 64,
    minimum: 0,
    description:
      'Handshakes under way, or failed within a second, above which clients have to prove their address first, at the price of a round trip (Retry).'
  }),
  maxHandshakes: Type.Integer({
    default: 1024,
    minimum: 1,
    description:
      'Handshakes under way at a time, of one address a quarter of them; further clients get no answer and try again.'
  })
})
export type QuicOptions = Static<typeof QuicOptions>
