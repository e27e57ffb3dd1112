import { type Static, Type } from '@rystra/plugin'

const KiB = 1024
const MiB = 1024 * KiB

/** The packet size that every network carries, RFC 9000 section 14.1. */
export const SMALLEST_PACKET = 1200

export const QuicOptions = Type.Object({
  maxPacket: Type.Integer({
    default: 1452,
    minimum: SMALLEST_PACKET,
    maximum: 65_507,
    description:
      'Largest UDP payload in bytes, used once a probe of that size is acknowledged; until then 1200. Default: 1452, Ethernet with IPv6.'
  }),
  native: Type.Boolean({
    default: true,
    description:
      'Send and receive packets in batches by the native part (@rystra/native), where it has a binary for the platform. Default: true.'
  }),
  idleTimeout: Type.Integer({
    default: 30_000,
    minimum: 1000,
    description:
      'Milliseconds without received packets after which a link is lost; the smaller value of both ends applies. Default: 30000.'
  }),
  handshakeTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    description: 'Milliseconds until a handshake must be complete. Default: 10000.'
  }),
  keepAlive: Type.Integer({
    default: 12_000,
    minimum: 100,
    description:
      'Milliseconds of silence after which the client sends a ping. Default: 12000, so that two fit into the 30 s after which NATs drop a UDP mapping.'
  }),
  rebindAfter: Type.Integer({
    default: 3000,
    minimum: 100,
    description:
      'Milliseconds without an answer after which the client rebinds to another local port, doubled with each attempt: the network may have changed. Default: 3000.'
  }),
  maxStreams: Type.Integer({
    default: 16_384,
    minimum: 1,
    maximum: 1_000_000,
    description: 'Maximum of streams that the peer may have open. Default: 16384, enough for ten thousand visitors.'
  }),
  openTimeout: Type.Integer({
    default: 75_000,
    minimum: 10,
    description: 'Milliseconds until the peer must allow a new stream. Default: 75000.'
  }),
  streamWindow: Type.Integer({
    default: 512 * KiB,
    minimum: 16 * KiB,
    maximum: 64 * MiB,
    description: 'Initial window of a stream in bytes. Default: 524288.'
  }),
  maxWindow: Type.Integer({
    default: 16 * MiB,
    minimum: 64 * KiB,
    maximum: 256 * MiB,
    description: 'Largest window of a stream in bytes. Default: 16777216, 2 Gbit/s over 50 ms.'
  }),
  maxSessionBuffer: Type.Integer({
    default: 256 * MiB,
    minimum: MiB,
    description:
      'Unread bytes of all streams of a link; beyond it the stream that was unread for longest is reset. Default: 268435456, 512 stalled visitors.'
  }),
  socketBuffer: Type.Integer({
    default: 4 * MiB,
    minimum: 64 * KiB,
    maximum: 256 * MiB,
    description:
      'Kernel buffer of each UDP socket and direction in bytes. Default: 4194304; the kernel caps it at net.core.rmem_max and wmem_max.'
  }),
  congestion: Type.Union([Type.Literal('cubic'), Type.Literal('reno'), Type.Literal('bbr')], {
    default: 'cubic',
    description: 'Congestion control algorithm. Default: cubic.'
  }),
  earlyData: Type.Boolean({
    default: true,
    description:
      'Whether a reconnecting client sends its first message in 0-RTT, and whether a server accepts it. Default: true.'
  }),
  retryAbove: Type.Integer({
    default: 0,
    minimum: 0,
    description:
      'Handshakes in progress, or failed within a second, above which clients must prove their address by a Retry, which costs a round trip. Default: 0, always: packets of unproved addresses never reach quiche.'
  }),
  maxHandshakes: Type.Integer({
    default: 1024,
    minimum: 1,
    description:
      'Maximum of handshakes in progress, a quarter of it per address; further packets are dropped, and clients retransmit. Default: 1024.'
  })
})
export type QuicOptions = Static<typeof QuicOptions>
