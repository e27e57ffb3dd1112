import { cutOff } from '@rystra/bytes'
import { Waiters } from '@rystra/limits'
import { type ByteLink, type MuxHost, RystraError } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { DirectOptions } from './options.js'
import { DirectLink } from './streams.js'

/** Time after which unanswered requests count as lost and are repeated. */
const REQUEST_TIMEOUT_MS = 5000

/** Maximum of links in one request, the limit of the protocol. */
const MAX_REQUEST = 64

const timedOut = (): RystraError =>
  new RystraError('stream.timeout', { side: 'client', detail: 'client dialed no link for the stream' })

/** Server side: takes an idle link for each stream, and requests more before they run out. */
export class DirectServer extends DirectLink {
  readonly #host: MuxHost
  readonly #options: DirectOptions
  /** Idle links, the oldest first, each with a function that stops watching it. */
  readonly #ready = new Map<Duplex, () => void>()
  readonly #waiting: Waiters<Duplex>
  readonly #shrink: NodeJS.Timeout
  #target: number
  /** The lowest number of idle links since the last check: these were not needed. */
  #spare = 0
  /** Maximum of idle links. */
  readonly #max: number
  #requested = 0
  #requestTimer: NodeJS.Timeout | undefined
  #filling = false
  /** A stream found no idle link. */
  #ranDry = false
  #away = false

  constructor(link: ByteLink, host: MuxHost, options: DirectOptions) {
    super(link)
    this.#host = host
    this.#options = options
    this.#waiting = new Waiters({ timeout: options.openTimeout, late: timedOut })
    this.#target = options.ready
    this.#max = Math.max(options.ready, options.maxReady)
    this.#shrink = setInterval(() => this.#halve(), options.shrinkAfter).unref()
    host.links.onLink = (dialed, opens) => this.#onLink(dialed, opens)
    this.#fill()
  }

  open(signal?: AbortSignal): Promise<Duplex> {
    if (this.closed || this.#away) return Promise.reject(this.refusal())
    if (signal?.aborted) return Promise.reject(new RystraError('stream.reset', { detail: 'given up' }))
    const link = this.#takeReady()
    if (link !== undefined) {
      this.#spare = Math.min(this.#spare, this.#ready.size)
      this.#fill()
      return Promise.resolve(this.adopt(link))
    }
    this.#spare = 0
    this.#ranDry = true
    const opened = this.#waiting.wait((taken) => this.adopt(taken), signal)
    this.#fill()
    return opened
  }

  /** The link that was idle for longest, no longer watched. */
  #takeReady(): Duplex | undefined {
    for (const [link, forget] of this.#ready) {
      forget()
      if (!link.destroyed) return link
    }
    return undefined
  }

  #onLink({ duplex }: ByteLink, opens: boolean): void {
    duplex.on('error', () => {})
    if (this.closed || this.#away || duplex.destroyed) {
      duplex.destroy()
      return
    }
    if (opens) {
      if (this.onStream === undefined) cutOff(duplex)
      else this.onStream(this.adopt(duplex))
      return
    }
    this.#requested = Math.max(0, this.#requested - 1)
    if (this.#waiting.serve(duplex)) return
    // More than were ever requested: the client floods.
    if (this.#ready.size >= this.#max + MAX_REQUEST) duplex.destroy()
    else this.#keepIdle(duplex)
  }

  /** Adds a link to the pool and watches it: a link that ends while idle would fail a visitor. */
  #keepIdle(link: Duplex): void {
    const forget = (): void => {
      this.#ready.delete(link)
      link.removeListener('close', ended)
      link.removeListener('end', ended)
    }
    const ended = (): void => {
      forget()
      link.destroy()
      this.#fill()
    }
    link.once('close', ended)
    link.once('end', ended)
    this.#ready.set(link, forget)
  }

  /** Requests missing links, once for all streams of a turn of the event loop. */
  #fill(): void {
    if (this.#filling || this.closed || this.#away) return
    this.#filling = true
    setImmediate(() => {
      this.#filling = false
      if (this.closed || this.#away) return
      // Once for all streams of the turn: each of them has a link requested besides.
      if (this.#ranDry) this.#target = Math.min(this.#max, Math.max(1, this.#target * 2))
      this.#ranDry = false
      const missing = this.#waiting.size + this.#target - this.#ready.size - this.#requested
      // A few links are not worth a message while others are idle.
      if (missing <= 0 || (this.#waiting.size === 0 && missing < this.#target / 4)) return
      for (let left = missing; left > 0; left -= MAX_REQUEST) this.#host.links.request(Math.min(left, MAX_REQUEST))
      this.#requested += missing
      clearTimeout(this.#requestTimer)
      this.#requestTimer = setTimeout(() => {
        this.#requested = 0
        this.#fill()
      }, REQUEST_TIMEOUT_MS).unref()
    })
  }

  #halve(): void {
    const unused = this.#spare
    if (unused > this.#target / 2 && this.#target > this.#options.ready) {
      this.#target = Math.max(this.#options.ready, Math.floor(this.#target / 2))
    }
    // Includes links that were not requested.
    while (unused > 0 && this.#ready.size > this.#target) this.#takeReady()?.destroy()
    this.#spare = this.#ready.size
  }

  goAway(): void {
    this.#away = true
    this.dropIdle()
  }

  protected dropIdle(): void {
    clearInterval(this.#shrink)
    clearTimeout(this.#requestTimer)
    this.#waiting.refuse(this.refusal())
    for (const [link, forget] of this.#ready) {
      forget()
      cutOff(link)
    }
  }
}
