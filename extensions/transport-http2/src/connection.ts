import { type Clock, type Link, type Logger, type PeerInfo, RystraError } from '@rystra/plugin'
import http2, { type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { closeWithSession } from '@rystra/net'
import { Guard } from './guard.js'
import type { Carrier } from './link.js'
import type { Http2Options } from './options.js'
import { Pipe } from './pipe.js'
import { accept, ServerLink } from './server-link.js'
import {
  CHUNKS,
  type LinkRequest,
  linkRequestOf,
  ERROR,
  FIRST_OFFERS,
  OFFERS,
  respond,
  STREAMS,
  sessionOptions,
  VERB,
  VERSION,
  widen
} from './wire.js'

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants

/** What the connections of a listener have in common. */
export interface Listening {
  readonly path: string
  readonly options: Http2Options
  readonly clock: Clock
  readonly log: Logger
  /** All links, by their ids: behind a proxy the requests of one may come over several connections. */
  readonly links: Map<string, ServerLink>
  /** Connections without a link, the oldest first. */
  readonly arrivals: Set<Connection>
  readonly onLink: (link: Link) => void
}

/** One connection of HTTP/2, from a client or from a proxy in front. */
export class Connection {
  readonly #pipe: Pipe
  readonly #session: ServerHttp2Session
  readonly #peer: PeerInfo
  readonly #host: Listening
  readonly #guard: Guard
  readonly #refusal: RystraError | undefined
  /** Links that began here. */
  readonly #links = new Set<ServerLink>()
  /** Requests of links that are open here. */
  #requests = 0
  #error: Error | undefined
  #failed = false
  #cancelIdle: () => void = () => {}

  /** @param refusal the only answer that the peer gets */
  constructor(socket: Socket, peer: PeerInfo, host: Listening, refusal?: RystraError) {
    const { options, clock } = host
    this.#peer = peer
    this.#host = host
    this.#refusal = refusal
    // Room for streams, offers, the service stream, and some requests that are refused with an answer.
    const requests = options.maxStreams + options.maxOffers + 16
    this.#pipe = new Pipe(socket)
    this.#session = http2.performServerHandshake(this.#pipe, sessionOptions(options.window, requests))
    closeWithSession(this.#session, this.#pipe)
    widen(this.#session, options.window)
    this.#guard = new Guard(this.#session, clock, (what) => {
      this.#fail(new RystraError('mux.protocol', { side: 'client', detail: `too many ${what}` }))
    })
    this.#session.on('stream', (stream, headers) => this.#onRequest(stream, headers))
    this.#session.on('error', (error: Error) => {
      this.#error ??= error
    })
    this.#session.once('close', () => this.#closed())
    // Node keeps a half-open connection; HTTP/2 has no use for one.
    this.#pipe.onEnd = () => this.#session.destroy()
    this.#pipe.onDrain = () => {
      for (const link of this.#links) link.uncongested()
    }
    this.#idle()
  }

  /** Gives the connection up. */
  #fail(error: RystraError): void {
    if (this.#session.destroyed || this.#failed) return
    this.#failed = true
    this.#error ??= error
    const { address, port } = this.#peer
    this.#host.log.debug({ peer: `${address}:${port}`, code: error.code, reason: error.detail }, 'connection given up')
    // Not at once: nghttp2 is in the middle of what it reads, and a session that is destroyed there takes the process along.
    setImmediate(() => {
      if (!this.#session.destroyed) this.#session.destroy(undefined, NGHTTP2_ENHANCE_YOUR_CALM)
    })
  }

  /** It was the oldest of too many, or the listener is closed. */
  drop(): void {
    if (!this.#session.destroyed) this.#session.destroy()
  }

  #closed(): void {
    this.#cancelIdle()
    this.#host.arrivals.delete(this)
    for (const link of [...this.#links]) {
      link.destroy(new RystraError('session.lost', { cause: this.#error, detail: detailOf(this.#error) }))
    }
  }

  /** Nothing of a link is here: not for long. */
  #idle(): void {
    const { arrivals, options, clock } = this.#host
    if (this.#session.destroyed) return
    const [oldest] = arrivals
    if (arrivals.size >= options.maxArrivals) oldest?.drop()
    arrivals.add(this)
    this.#cancelIdle = clock.after(options.arrivalTimeout, () => this.drop())
  }

  #onRequest(h2: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    h2.on('error', () => {})
    // The client cancelled the request in the segment that opened it.
    if (h2.destroyed || h2.closed) {
      this.#guard.count('cancelled requests')
      return
    }
    const request = headers[':path'] === this.#host.path ? linkRequestOf(headers) : undefined
    if (this.#refusal !== undefined) this.#answer(h2, 403, { [ERROR]: this.#refusal.code })
    else if (request === undefined) this.#answer(h2, headers[':path'] === this.#host.path ? 400 : 404)
    else this.#serve(h2, request)
  }

  #serve(h2: ServerHttp2Stream, request: LinkRequest): void {
    const { links, onLink } = this.#host
    const link = links.get(request.link)
    if (request.verb === 'link' ? link !== undefined : link === undefined) {
      this.#answer(h2, 400)
      return
    }
    this.#requests += 1
    if (this.#requests === 1) {
      this.#cancelIdle()
      this.#host.arrivals.delete(this)
    }
    h2.once('close', () => {
      this.#requests -= 1
      if (this.#requests === 0) this.#idle()
    })
    if (request.verb === 'offer') link?.offered(h2, request.stream)
    else if (request.verb === 'open') link?.opened(h2, request.stream)
    else {
      this.#guard.count('links')
      const made = this.#link(h2, request)
      accept(h2, {
        [VERB]: VERSION,
        [OFFERS]: String(FIRST_OFFERS),
        [STREAMS]: String(this.#host.options.maxStreams),
        ...(made.chunked ? { [CHUNKS]: String(this.#host.options.chunkInterval) } : {})
      })
      onLink(made)
    }
  }

  #link(h2: ServerHttp2Stream, { link: id, streams, hop }: LinkRequest): ServerLink {
    const { options, clock, links } = this.#host
    const proxied = hop >= 0 && hop !== this.#session.remoteSettings.maxHeaderListSize
    const keepAlive = proxied ? options.chunkInterval : 0
    const carrier: Carrier = {
      pipe: this.#pipe,
      release: (graceful) => {
        if (links.get(id) === link) links.delete(id)
        this.#links.delete(link)
        this.#release(graceful)
      }
    }
    const refused = (stream: ServerHttp2Stream): void => {
      stream.close(NGHTTP2_REFUSED_STREAM)
      this.#guard.count('refused streams')
    }
    const link = new ServerLink({ peer: this.#peer, options, clock, carrier, service: h2, keepAlive }, streams, refused)
    links.set(id, link)
    this.#links.add(link)
    return link
  }

  /** The last link that began here takes the connection with it. */
  #release(graceful: boolean): void {
    if (this.#links.size > 0 || this.#session.destroyed) return
    if (graceful) this.#session.close()
    else this.#session.destroy(undefined, this.#error === undefined ? NGHTTP2_NO_ERROR : NGHTTP2_INTERNAL_ERROR)
  }

  /** Answers a request that belongs to no link. */
  #answer(h2: ServerHttp2Stream, status: number, fields: Readonly<Record<string, string>> = {}): void {
    if (respond(h2, { ':status': status, ...fields }, { endStream: true })) h2.close()
    this.#guard.count('requests without a link')
  }
}

const detailOf = (error: Error | undefined): string | undefined => {
  if (error === undefined) return undefined
  return error instanceof RystraError ? error.detail : ((error as NodeJS.ErrnoException).code ?? error.message)
}
