import { closeWithSession } from '@rystra/net'
import { isRystraError, RystraError, type VisitorInfo } from '@rystra/plugin'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Answer, Asked, Listener, Question } from './ask.js'
import { byName } from './fields.js'

/** A stream for HTTP/2, and whether it is this visitor's alone. */
export interface OpenedForH2 {
  readonly stream: Duplex
  readonly bound: boolean
}

type Open = (visitor: VisitorInfo, patience: number | undefined) => Promise<OpenedForH2>

/**
 * The HTTP/2 connection to a service: one for all, made when it is wanted, and again when it is gone. Where hooks look at
 * who visits, each visitor has one.
 */
export class H2Service {
  readonly #open: Open
  readonly #maxHeadSize: number
  readonly #sessions = new Map<string, ClientHttp2Session>()
  #opening: Promise<unknown> | undefined
  #closed = false

  constructor(open: Open, maxHeadSize: number) {
    this.#open = open
    this.#maxHeadSize = maxHeadSize
  }

  /** The session that is up, or the next. Rejects with what opening the stream rejected with. See {@link Pool.open}. */
  async session(visitor: VisitorInfo, patience?: number): Promise<ClientHttp2Session> {
    const own = `${visitor.host} ${visitor.port}`
    for (;;) {
      const there = this.#sessions.get('') ?? this.#sessions.get(own)
      // One that breaks is known to before it says so.
      if (there !== undefined && !there.closed && !there.destroyed) return there
      if (this.#opening === undefined) break
      try {
        await this.#opening
      } catch (error) {
        // A refusal is one visitor's; what else goes wrong does so for all.
        if (!isRystraError(error) || error.code !== 'stream.refused') throw error
      }
    }
    const opening = this.#connect(visitor, own, patience)
    this.#opening = opening
    try {
      return await opening
    } finally {
      this.#opening = undefined
    }
  }

  async #connect(visitor: VisitorInfo, own: string, patience: number | undefined): Promise<ClientHttp2Session> {
    const { stream, bound } = await this.#open(visitor, patience)
    const key = bound ? own : ''
    const session = http2.connect('http://service', {
      createConnection: () => stream,
      settings: { enablePush: false, maxHeaderListSize: this.#maxHeadSize }
    })
    closeWithSession(session, stream)
    this.#sessions.set(key, session)
    const forget = (): void => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    }
    // Requests that are on it go on; the next one gets another.
    session.on('goaway', forget)
    session.on('close', forget)
    // Each request on it is told by itself.
    session.on('error', forget)
    if (bound) session.setTimeout(IDLE, () => session.close())
    if (this.#closed) session.close()
    return session
  }

  /** Requests that are on it go on. */
  close(): void {
    this.#closed = true
    for (const session of this.#sessions.values()) session.close()
  }
}

/** Milliseconds after which a connection that is one visitor's is closed. */
const IDLE = 10_000

const rawOf = (headers: IncomingHttpHeaders): string[] => {
  const raw: string[] = []
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) raw.push(name, one)
  }
  return raw
}

/** Asks a service by HTTP/2. */
export const askH2 = (question: Question, session: ClientHttp2Session, listener: Listener): Asked => {
  const { method, target, headers, authority, secure, hasBody, length } = question
  const stream: ClientHttp2Stream = session.request(
    {
      ...byName(headers),
      ':method': method,
      ':path': target,
      ':scheme': secure ? 'https' : 'http',
      ':authority': authority,
      ...(length === undefined ? {} : { 'content-length': String(length) }),
      ...(question.wantsTrailers ? { te: 'trailers' } : {}),
      ...(question.expect && hasBody ? { expect: '100-continue' } : {})
    },
    { endStream: !hasBody, waitForTrailers: hasBody }
  )
  let over = false
  let trailing: Record<string, string | string[]> | undefined
  let behind: string[] = []
  const fail = (error: Error): void => {
    if (over) return
    over = true
    const lost = session.destroyed || session.closed
    // RFC 9113 §8.7: so it says of what it has not begun with, also of what came behind its last word.
    const untouched = stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM
    listener.onFailure(error, untouched ? 'untouched' : lost ? 'lost' : undefined)
  }
  const broken = (): Error =>
    new RystraError('stream.reset', { side: 'client', detail: `HTTP/2 error ${stream.rstCode ?? 0}` })
  stream.on('error', fail)
  stream.on('aborted', () => fail(broken()))
  stream.on('close', () => fail(broken()))
  stream.on('continue', () => listener.onContinue())
  stream.on('wantTrailers', () => (trailing === undefined ? stream.close() : stream.sendTrailers(trailing)))
  stream.on('headers', (info) => {
    const status = info[':status'] ?? 0
    const raw = rawOf(info)
    if (status !== 100)
      listener.onInformation(
        status,
        raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] as string]] : []))
      )
  })
  stream.on('trailers', (trailers) => {
    behind = rawOf(trailers)
  })
  stream.on('response', (head) => {
    const answer: Answer = {
      status: head[':status'] ?? 0,
      message: '',
      raw: rawOf(head),
      connection: undefined,
      trailer: head.trailer as string | undefined,
      length: head['content-length'],
      body: stream,
      trailers: () => behind
    }
    stream.on('end', () => {
      // What was reset has an end too.
      if (stream.rstCode === undefined || stream.rstCode === 0) over = true
    })
    listener.onAnswer(answer)
  })
  return {
    body: stream,
    end(trailers) {
      if (!hasBody) return
      trailing = byName(trailers)
      stream.end()
    },
    abort() {
      over = true
      stream.close(http2.constants.NGHTTP2_CANCEL)
    }
  }
}
