import { cutOff } from '@rystra/bytes'
import { Waiters } from '@rystra/limits'
import { type ByteLink, type MuxHost, RystraError } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { DirectOptions } from './options.js'
import { DirectLink } from './streams.js'

/** Requests the client has not answered by then are counted as lost, and made again. */
const REQUEST_TIMEOUT = 5000

/** Requested in one message at the most: the limit of the protocol. */
const REQUEST_LIMIT = 64

const late = (): RystraError =>
  new RystraError('stream.timeout', { side: 'client', detail: 'it dialed no link for the stream' })

/** Server side: takes a waiting link for each stream, and asks the client for more before they run out. */
export class DirectServer extends DirectLink {
  readonly #host: MuxHost
  readonly #options: DirectOptions
  /** Links that wait, the oldest first, each with what stops watching it. */
  readonly #ready = new Map<Duplex, () => void>()
  readonly #waiting: Waiters<Duplex>
  readonly #shrink: NodeJS.Timeout
  #target: number
  /** The fewest that were ready since the pool was last looked at: what was not needed. */
  #spare = 0
  /** As many as may wait: more were never asked for. */
  readonly #most: number
  #asked = 0
  #askTimer: NodeJS.Timeout | undefined
  #filling = false
  #away = false

  constructor(link: ByteLink, host: MuxHost, options: DirectOptions) {
    super(link)
    this.#host = host
    this.#options = options
    this.#waiting = new Waiters({ timeout: options.openTimeout, late })
    this.#target = options.ready
    this.#most = Math.max(options.ready, options.maxReady)
    this.#shrink = setInterval(() => this.#halve(), options.shrinkAfter).unref()
    host.links.onLink = (dialed, opens) => this.#arrived(dialed, opens)
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
    this.#target = Math.min(this.#most, Math.max(1, this.#target * 2))
    const opened = this.#waiting.wait((taken) => this.adopt(taken), signal)
    this.#fill()
    return opened
  }

  /** The link that has waited longest, no longer watched. */
  #takeReady(): Duplex | undefined {
    for (const [link, forget] of this.#ready) {
      forget()
      if (!link.destroyed) return link
    }
    return undefined
  }

  #arrived({ duplex }: ByteLink, opens: boolean): void {
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
    this.#asked = Math.max(0, this.#asked - 1)
    if (this.#waiting.serve(duplex)) return
    // More than it was ever asked for: a client that floods.
    if (this.#ready.size >= this.#most + REQUEST_LIMIT) duplex.destroy()
    else this.#wait(duplex)
  }

  /** Puts a link aside, and watches it: one that ends while it waits would fail a visitor. */
  #wait(link: Duplex): void {
    const forget = (): void => {
      this.#ready.delete(link)
      link.removeListener('close', gone)
      link.removeListener('end', gone)
    }
    const gone = (): void => {
      forget()
      link.destroy()
      this.#fill()
    }
    link.once('close', gone)
    link.once('end', gone)
    this.#ready.set(link, forget)
  }

  /** Asks for what is missing; once for all streams of one turn of the event loop. */
  #fill(): void {
    if (this.#filling || this.closed || this.#away) return
    this.#filling = true
    setImmediate(() => {
      this.#filling = false
      if (this.closed || this.#away) return
      const missing = this.#waiting.size + this.#target - this.#ready.size - this.#asked
      // A link or two are not worth a message while others are ready.
      if (missing <= 0 || (this.#waiting.size === 0 && missing < this.#target / 4)) return
      for (let left = missing; left > 0; left -= REQUEST_LIMIT) this.#host.links.request(Math.min(left, REQUEST_LIMIT))
      this.#asked += missing
      clearTimeout(this.#askTimer)
      this.#askTimer = setTimeout(() => {
        this.#asked = 0
        this.#fill()
      }, REQUEST_TIMEOUT).unref()
    })
  }

  #halve(): void {
    const unused = this.#spare
    if (unused > this.#target / 2 && this.#target > this.#options.ready) {
      this.#target = Math.max(this.#options.ready, Math.floor(this.#target / 2))
    }
    // Also those that came unasked.
    while (unused > 0 && this.#ready.size > this.#target) this.#takeReady()?.destroy()
    this.#spare = this.#ready.size
  }

  goAway(): void {
    this.#away = true
    this.dropIdle()
  }

  protected dropIdle(): void {
    clearInterval(this.#shrink)
    clearTimeout(this.#askTimer)
    this.#waiting.refuse(this.refusal())
    for (const [link, forget] of this.#ready) {
      forget()
      cutOff(link)
    }
  }
}
