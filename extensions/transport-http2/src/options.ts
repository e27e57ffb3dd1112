import { tcpFields } from '@rystra/net'
import { type Static, Type } from '@rystra/plugin'

const KiB = 1024
const MiB = 1024 * KiB

export const Http2Options = Type.Object({
  maxStreams: Type.Integer({
    default: 16_384,
    minimum: 1,
    maximum: 1_000_000,
    description:
      'Maximum of streams of one link, opened by either side; the smaller value of both ends applies. Default: 16384, enough for ten thousand visitors.'
  }),
  maxOffers: Type.Integer({
    default: 512,
    minimum: 8,
    maximum: 16_384,
    description:
      'Maximum of requests that a client keeps open for streams of the server. It starts with 8 and grows with the demand: a stream without such a request waits for one round trip. Default: 512.'
  }),
  window: Type.Integer({
    default: 2 * MiB,
    minimum: 64 * KiB,
    maximum: 256 * MiB,
    description: 'Window of a stream in bytes: what is in flight or unread. Default: 2097152, 0.3 Gbit/s over 50 ms.'
  }),
  maxBuffer: Type.Integer({
    default: 256 * MiB,
    minimum: MiB,
    description:
      'Unread bytes of all streams of a link; beyond it the stream with the most is reset. Default: 268435456, room for 128 stalled visitors.'
  }),
  openTimeout: Type.Integer({
    default: 20_000,
    minimum: 10,
    description:
      'Milliseconds until the client must have sent a request on which the server can open a stream. Default: 20000, many round trips on a bad line.'
  }),
  arrivalTimeout: Type.Integer({
    default: 10_000,
    minimum: 10,
    description:
      'Milliseconds from the connection until the link must be up: the handshakes of TLS and HTTP/2, and one request. Default: 10000.'
  }),
  maxArrivals: Type.Integer({
    default: 1024,
    minimum: 1,
    description: 'Maximum of connections per listener whose link is not up; one more closes the oldest. Default: 1024.'
  }),
  chunkInterval: Type.Integer({
    default: 8000,
    minimum: 0,
    maximum: 3_600_000,
    description:
      'Milliseconds of silence after which a stream sends an empty chunk, where a proxy that speaks HTTP/2 is between the ends: such proxies cut silent requests. The value of the server applies to both ends; 0: never. Default: 8000, two within 20 s.'
  }),
  ...tcpFields
})
export type Http2Options = Static<typeof Http2Options>

const path = Type.Optional(
  Type.String({
    title: 'a path that begins with /, such as /rystra',
    pattern: '^/[!-~]*$',
    maxLength: 1024,
    default: '/rystra',
    description: 'Path of all requests; both ends need the same. Default: /rystra.'
  })
)

/** Fields of a `server.listen` entry. */
export const listenFields = { path }

/** Fields of `client.connect`. */
export const requestFields = {
  path,
  authority: Type.Optional(
    Type.String({ minLength: 1, description: 'Host of all requests (`:authority`). Default: `host` and `port`.' })
  ),
  headers: Type.Optional(
    Type.Record(Type.String({ pattern: "^[a-z0-9!#$%&'*+.^_`|~-]+$" }), Type.String(), {
      title: 'header names in lower case, such as x-token',
      description:
        'Additional header fields of all requests, for proxies in between; names in lower case. Default: none.'
    })
  )
}

export const DEFAULT_PATH = '/rystra'
