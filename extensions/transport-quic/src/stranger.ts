import { RystraError } from '@rystra/plugin'

/** Bytes that may come before anybody takes more than the first stream: a Hello and a proof, some of it again. */
const MOST = 256 * 1024

/** Bounds what the other side may send before somebody has let it in, whether it can be read or not. */
export class Stranger {
  #bytes = 0
  #letIn = false

  /** For good: who wants no streams of it later still wants what is on those that it has. */
  letIn(): void {
    this.#letIn = true
  }

  /** Bytes came. Answers with why no more may. */
  sent(bytes: number): RystraError | undefined {
    if (this.#letIn) return undefined
    this.#bytes += bytes
    if (this.#bytes <= MOST) return undefined
    return new RystraError('session.limit', { side: 'client', detail: 'it sends too much before it is let in' })
  }
}
