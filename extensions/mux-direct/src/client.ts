import type { ByteLink, MuxHost } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { cut, DirectLink } from './streams.js'

/** Dials at once at the most: a server that asks for thousands does not get this machine's last descriptor. */
const DIAL_LIMIT = 256

/** Client side: dials what the server asks for, and waits on each link for the first byte. */
export class DirectClient extends DirectLink {
  readonly #host: MuxHost
  readonly #idle = new Set<Duplex>()
  readonly #giveUp = new AbortController()
  #dialing = 0
  #wanted = 0
  #away = false

  constructor(link: ByteLink, host: MuxHost) {
    super(link)
    this.#host = host
    host.links.onRequest = (count) => {
      this.#wanted = Math.min(this.#wanted + count, 4 * DIAL_LIMIT)
      this.#dialMore()
    }
  }

  async open(signal?: AbortSignal): Promise<Duplex> {
    if (this.closed || this.#away) throw this.refusal()
    const either = signal === undefined ? this.#giveUp.signal : AbortSignal.any([signal, this.#giveUp.signal])
    const { duplex } = await this.#host.links.dial(either, true)
    return this.adopt(duplex)
  }

  #dialMore(): void {
    while (this.#wanted > 0 && this.#dialing < DIAL_LIMIT && !this.closed && !this.#away) {
      this.#wanted -= 1
      this.#dialing += 1
      this.#host.links.dial(this.#giveUp.signal).then(
        (link) => this.#dialed(link.duplex),
        (error: unknown) => {
          this.#dialing -= 1
          this.#host.log.debug({ err: error }, 'a data link could not be dialed')
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
    }
    link.once('close', gone)
    link.once('readable', () => {
      link.removeListener('close', gone)
      if (!this.#idle.delete(link) || link.destroyed) return
      if (link.readableLength === 0) link.destroy()
      else this.onStream?.(this.adopt(link))
    })
    this.#dialMore()
  }

  goAway(): void {
    this.#away = true
    this.dropIdle()
  }

  protected dropIdle(): void {
    this.#giveUp.abort()
    for (const link of this.#idle) cut(link)
    this.#idle.clear()
  }
}
