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
      'Streams of one link, opened by either side. Ten thousand visitors and some; the smaller number of the two ends counts.'
  }),
  maxOffers: Type.Integer({
    default: 512,
    minimum: 8,
    maximum: 16_384,
    description:
      'Requests that a client may keep waiting for streams of the server. There are 8, and more after more were needed at once: what is opened beyond them waits for a round trip.'
  }),
  window: Type.Integer({
    default: 2 * MiB,
    minimum: 64 * KiB,
    maximum: 256 * MiB,
    description:
      'Bytes a stream may have on the way or unread. 2 MiB carry 0.3 Gbit/s over 50 ms, and a stalled stream holds no more.'
  }),
  maxBuffer: Type.Integer({
    default: 256 * MiB,
    minimum: MiB,
    description:
      'Bytes received and not read yet, all streams of a link together. Beyond it the stream that holds the most is reset.'
  }),
  openTimeout: Type.Integer({
    default: 20_000,
    minimum: 10,
    description:
      'Milliseconds a server waits for a request of the client to open a stream on: many round trips of a bad line.'
  }),
  arrivalTimeout: Type.Integer({
    default: 10_000,
    minimum: 10,
    description: 'Milliseconds from a connection to its link: both handshakes, TLS and HTTP/2, and one request.'
  }),
  maxArrivals: Type.Integer({
    default: 1024,
    minimum: 1,
    description: 'Connections of one listener without a link. When there are more, the oldest of them goes.'
  }),
  ...tcpFields
})
export type Http2Options = Static<typeof Http2Options>

const path = Type.Optional(
  Type.String({
    pattern: '^/[!-~]*$',
    maxLength: 1024,
    default: '/rystra',
    description: 'The path of all requests. Both ends have to have the same.'
  })
)

/** Fields of a `server.listen` entry. */
export const listenFields = { path }

/** Fields of `client.connect`. */
export const requestFields = {
  path,
  authority: Type.Optional(
    Type.String({ minLength: 1, description: 'What requests say as host (`:authority`). Default: host and port.' })
  ),
  headers: Type.Optional(
    Type.Record(Type.String({ pattern: "^[a-z0-9!#$%&'*+.^_`|~-]+$" }), Type.String(), {
      description: 'Header fields of all requests, for who stands in between. Names in lower case.'
    })
  )
}

export const DEFAULT_PATH = '/rystra'
