import { cutOff } from '@rystra/bytes'
import { type ByteLink, type MuxHost, RystraError } from '@rystra/plugin'
import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import { DirectLink } from './streams.js'

/** Maximum of concurrent dials: a server that requests thousands must not use up the descriptors. */
const MAX_DIALS = 256

/** Maximum of idle links, the largest pool that a server can be configured for. */
const MAX_IDLE = 4096

/** Maximum of links, the default number of streams of a session; also the limit of outstanding requests. */
const MAX_LINKS = 16_384

/** One for all links: the end of a link is what counts. */
const ignore = (): void => {}

/** Client side: dials links on request of the server, and waits for the first byte on each. */
export class DirectClient extends DirectLink {
  readonly #host: MuxHost
  readonly #idle = new Set<Duplex>()
  readonly #stopDialing = new AbortController()
  readonly #opening = new Set<AbortController>()
  #dialing = 0
  #wanted = 0
  #away = false

  constructor(link: ByteLink, host: MuxHost) {
    super(link)
    // Each dial adds a listener; many at once are no leak.
    setMaxListeners(0, this.#stopDialing.signal)
    this.#host = host
    host.links.onRequest = (count) => {
      this.#wanted = Math.min(this.#wanted + count, MAX_LINKS)
      this.#dialMore()
    }
  }

  async open(signal?: AbortSignal): Promise<Duplex> {
    if (this.closed || this.#away) throw this.refusal()
    if (signal?.aborted) throw new RystraError('stream.reset', { detail: 'aborted' })
    // An own controller: the given signal may live as long as the session.
    const dialing = new AbortController()
    const abort = (): void => dialing.abort()
    signal?.addEventListener('abort', abort, { once: true })
    this.#opening.add(dialing)
    try {
      const { duplex } = await this.#host.links.dial(dialing.signal, true)
      if (!this.closed) return this.adopt(duplex)
      duplex.on('error', () => {})
      cutOff(duplex)
      throw this.refusal()
    } finally {
      signal?.removeEventListener('abort', abort)
      this.#opening.delete(dialing)
    }
  }

  get #admits(): boolean {
    const waiting = this.#idle.size + this.#dialing
    return this.#dialing < MAX_DIALS && waiting < MAX_IDLE && waiting + this.streams < MAX_LINKS
  }

  #dialMore(): void {
    while (this.#wanted > 0 && this.#admits && !this.closed && !this.#away) {
      this.#wanted -= 1
      this.#dialing += 1
      this.#host.links.dial(this.#stopDialing.signal).then(
        (link) => this.#dialed(link.duplex),
        (error: unknown) => {
          this.#dialing -= 1
          this.#host.log.debug({ err: error }, 'dialing a data link failed')
          this.#dialMore()
        }
      )
    }
  }

  #dialed(link: Duplex): void {
    this.#dialing -= 1
    link.on('error', ignore)
    if (this.closed || this.#away) {
      link.destroy()
      return
    }
    this.#idle.add(link)
    const gone = (): void => {
      this.#idle.delete(link)
      this.#dialMore()
    }
    link.once('close', gone)
    link.once('readable', () => {
      link.removeListener('close', gone)
      if (!this.#idle.delete(link) || link.destroyed) return
      if (link.readableLength === 0) link.destroy()
      else if (this.onStream === undefined) cutOff(link)
      else this.onStream(this.adopt(link))
      this.#dialMore()
    })
    this.#dialMore()
  }

  goAway(): void {
    this.#away = true
    this.dropIdle()
  }

  protected dropIdle(): void {
    this.#wanted = 0
    this.#stopDialing.abort()
    for (const opening of this.#opening) opening.abort()
    for (const link of this.#idle) cutOff(link)
    this.#idle.clear()
  }
}
