import { randomBytes } from 'node:crypto'
import type { QuicheConnection } from './binding.js'
import type { LinkHost, QuicLink } from './link.js'

/** Bytes of the ids that we choose. Random, so that nobody off the path can guess one. */
export const ID_LENGTH = 16

export const newId = (): Buffer => randomBytes(ID_LENGTH)

/** Spare connection ids for the other side, so that it may move to another path unlinkably (RFC 9000 section 9.5). */
export class Ids {
  readonly #connection: QuicheConnection
  readonly #host: Pick<LinkHost, 'issued' | 'retired'>
  readonly #link: QuicLink

  constructor(connection: QuicheConnection, host: Pick<LinkHost, 'issued' | 'retired'>, link: QuicLink) {
    this.#connection = connection
    this.#host = host
    this.#link = link
  }

  /** Gives out as many as the other side wants. */
  supply(): void {
    while (this.#connection.sourceCidsLeft() > 0) {
      const id = newId()
      this.#connection.newSourceCid(id, BigInt(`0x${randomBytes(16).toString('hex')}`), false)
      this.#host.issued(this.#link, id)
    }
  }

  /** Forgets those that the other side uses no more, and gives out others. */
  retire(): void {
    let any = false
    for (let id = this.#connection.retiredScidNext(); id !== null; id = this.#connection.retiredScidNext()) {
      this.#host.retired(id)
      any = true
    }
    if (any) this.supply()
  }
}
