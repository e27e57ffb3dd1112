import http2 from 'node:http2'

/** The version of what this package says over HTTP/2. A response that has it comes from a Rystra server. */
export const VERSION = '1'

/** Header field: what a request is for, a {@link Verb}; in responses the version. */
export const VERB = 'rystra'
/** Header field: which link a request belongs to. Known to its two ends only. */
export const LINK = 'rystra-link'
/** Header field: the number of a stream in its link. The ids of HTTP/2 are others behind a proxy. */
export const STREAM = 'rystra-stream'
/** Header field: how many streams this end takes in one link. */
export const STREAMS = 'rystra-streams'
/** Header field: how many offers the server wants to begin with. */
export const OFFERS = 'rystra-offers'

/** Header field of `link`: what the client said in SETTINGS_MAX_HEADER_LIST_SIZE. A proxy that speaks HTTP/2 says its own. */
export const HOP = 'rystra-hop'
/** Header field of the answer: bytes travel in chunks, silent streams have an empty one after so many milliseconds. */
export const CHUNKS = 'rystra-chunks'

/** Header field of a refusal: the code of the error. */
export const ERROR = 'rystra-error'

/**
 * `link`: begins a link, and stays as its service stream. `open`: the client opens a stream. `offer`: the client has the
 * server answer when the server wants to open one.
 */
export type Verb = 'link' | 'open' | 'offer'

/** Offers before the server knows how many are needed: enough for a first page, and few for an unauthenticated peer. */
export const FIRST_OFFERS = 8

const LINK_ID = /^[\w-]{22}$/
const NUMBER = /^\d{1,10}$/

/** What a request is for. */
export interface LinkRequest {
  readonly verb: Verb
  readonly link: string
  readonly stream: number
  readonly streams: number
  /** -1: the client does not ask. */
  readonly hop: number
}

/** Reads a count from a header field, which may hold anything. */
export const numberOf = (value: unknown, otherwise: number): number =>
  typeof value === 'string' && NUMBER.test(value) ? Number(value) : otherwise

/** The purpose of a request. `undefined`: it is not one of a Rystra client. */
export const linkRequestOf = (headers: http2.IncomingHttpHeaders): LinkRequest | undefined => {
  const verb = headers[VERB]
  const link = headers[LINK]
  if (headers[':method'] !== 'POST' || typeof link !== 'string' || !LINK_ID.test(link)) return undefined
  if (verb !== 'link' && verb !== 'open' && verb !== 'offer') return undefined
  const stream = numberOf(headers[STREAM], -1)
  if (stream < 0 && verb !== 'link') return undefined
  return {
    verb,
    link,
    stream,
    streams: numberOf(headers[STREAMS], Number.MAX_SAFE_INTEGER),
    hop: numberOf(headers[HOP], -1)
  }
}

/** Bytes that one connection may have on the way, all streams together: 10 Gbit/s over 50 ms. */
const CONNECTION_WINDOW = 64 * 1024 * 1024

/** Bytes of header lists: a few short fields are all that is ever sent; proxies add theirs. */
export const MAX_HEADER_LIST_BYTES = 16 * 1024

/** What both ends give to node:http2. `window`: of a stream, in bytes. `streams`: requests at a time. */
export const sessionOptions = (window: number, streams: number, maxHeaderListSize = MAX_HEADER_LIST_BYTES) => ({
  settings: {
    enablePush: false,
    initialWindowSize: window,
    maxConcurrentStreams: streams,
    maxHeaderListSize
  },
  maxHeaderListPairs: 64,
  maxSettings: 16,
  maxOutstandingPings: 4,
  maxOutstandingSettings: 4,
  maxSessionInvalidFrames: 100,
  // MiB. Node's 10 refuse streams when some thousand are open; each takes a few KiB there.
  maxSessionMemory: 64 + Math.ceil(streams / 128),
  // Padding costs bytes and hides nothing here.
  paddingStrategy: http2.constants.PADDING_STRATEGY_NONE
})

/** Widens the window of the whole connection, which is 64 KiB otherwise. */
export const widen = (session: http2.Http2Session, window: number): void => {
  if (!session.destroyed) session.setLocalWindowSize(Math.max(window, CONNECTION_WINDOW))
}

/** Answers a request. `false`: the client has taken it back meanwhile, which Node would throw for. */
export const respond = (
  h2: http2.ServerHttp2Stream,
  headers: http2.OutgoingHttpHeaders,
  options: http2.ServerStreamResponseOptions = {}
): boolean => {
  if (h2.destroyed || h2.closed || h2.headersSent) return false
  h2.respond(headers, options)
  return true
}
