import { RystraError } from '@rystra/model'
import type { ByteLink, DataLinks } from '@rystra/plugin'

/** Dials the server once more and says which session the link belongs to. */
export type DialDataLink = (signal: AbortSignal, opens: boolean) => Promise<ByteLink>

/** The further links of one session. */
export class SessionLinks implements DataLinks {
  onLink: DataLinks['onLink']
  onRequest: DataLinks['onRequest']
  readonly #dial: DialDataLink | undefined
  readonly #request: (count: number) => void

  constructor(dial: DialDataLink | undefined, request: (count: number) => void) {
    this.#dial = dial
    this.#request = request
  }

  async dial(signal: AbortSignal, opens = false): Promise<ByteLink> {
    if (this.#dial === undefined) throw new RystraError('internal', { detail: 'no data links are dialed here' })
    return this.#dial(signal, opens)
  }

  request(count: number): void {
    this.#request(count)
  }

  /** Server: the client dialed one. Closed when the muxer takes none. */
  arrived(link: ByteLink, opens: boolean): void {
    if (this.onLink !== undefined) {
      this.onLink(link, opens)
      return
    }
    link.duplex.on('error', () => {})
    link.duplex.destroy()
  }
}
