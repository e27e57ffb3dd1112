import { cutOff } from '@rystra/bytes'
import { type ByteLink, type MuxHost, RystraError } from '@rystra/plugin'
import { setMaxListeners } from 'node:events'
import type { Duplex } from 'node:stream'
import { DirectLink } from './streams.js'

/** Dials at once at the most: a server that asks for thousands does not get this machine's last descriptor. */
const DIAL_LIMIT = 256

/** Links without a stream at the most: what a server may be configured to keep ready. One that asks for more waits. */
const IDLE_LIMIT = 4096

/** Links at all, as many as streams of one session by default; and the most that a server can be owed. */
const LINK_LIMIT = 16_384

/** Client side: dials what the server asks for, and waits on each link for the first byte. */
export class DirectClient extends DirectLink {
  readonly #host: MuxHost
  readonly #idle = new Set<Duplex>()
  readonly #giveUp = new AbortController()
  readonly #opening = new Set<AbortController>()
  #dialing = 0
  #wanted = 0
  #away = false

  constructor(link: ByteLink, host: MuxHost) {
    super(link)
    // Each dial listens; there may be many at once, and that is no leak.
    setMaxListeners(0, this.#giveUp.signal)
    this.#host = host
    host.links.onRequest = (count) => {
      this.#wanted = Math.min(this.#wanted + count, LINK_LIMIT)
      this.#dialMore()
    }
  }

  async open(signal?: AbortSignal): Promise<Duplex> {
    if (this.closed || this.#away) throw this.refusal()
    if (signal?.aborted) throw new RystraError('stream.reset', { detail: 'given up' })
    // One of its own, so that nothing is left hanging on a signal that lives as long as the session.
    const dialing = new AbortController()
    const giveUp = (): void => dialing.abort()
    signal?.addEventListener('abort', giveUp, { once: true })
    this.#opening.add(dialing)
    try {
      const { duplex } = await this.#host.links.dial(dialing.signal, true)
      if (!this.closed) return this.adopt(duplex)
      duplex.on('error', () => {})
      cutOff(duplex)
      throw this.refusal()
    } finally {
      signal?.removeEventListener('abort', giveUp)
      this.#opening.delete(dialing)
    }
  }

  get #admits(): boolean {
    const waiting = this.#idle.size + this.#dialing
    return this.#dialing < DIAL_LIMIT && waiting < IDLE_LIMIT && waiting + this.streams < LINK_LIMIT
  }

  #dialMore(): void {
    while (this.#wanted > 0 && this.#admits && !this.closed && !this.#away) {
      this.#wanted -= 1
      this.#dialing += 1
      this.#host.links.dial(this.#giveUp.signal).then(
        (link) => this.#dialed(link.duplex),
        (error: unknown) => {
          this.#dialing -= 1
          this.#host.log.debug({ err: error }, 'a data link could not be dialed')
          this.#dialMore()
        }
      )
    }
  }

  #dialed(link: Duplex): void {
    this.#dialing -= 1
    link.on('error', () => {})
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
    this.#giveUp.abort()
    for (const opening of this.#opening) opening.abort()
    for (const link of this.#idle) cutOff(link)
    this.#idle.clear()
  }
}
