import { RystraError } from '@rystra/model'
import type { ServerSession } from './server-session.js'

/** Who has a port. */
export interface Holder {
  readonly session: ServerSession
  /** Name of the proxy. */
  readonly proxy: string
}

/**
 * Who has what. Looked up in O(1). A holder that is gone without a word is asked, and loses what it has when it does not
 * answer; one that answers keeps it.
 */
export class Holders {
  readonly #holders = new Map<string, Holder>()
  readonly #patience: () => number

  /** @param patience Milliseconds a holder has to answer. */
  constructor(patience: () => number) {
    this.#patience = patience
  }

  get(key: string): Holder | undefined {
    return this.#holders.get(key)
  }

  /** Takes `key`, from a dead holder of the same identity if need be. Throws `proxy.port-taken`. */
  async take(key: string, holder: Holder, shown: string): Promise<void> {
    // Whoever asks for the same thing in the meantime gets in line: each turn of the loop looks again.
    for (let present = this.#holders.get(key); present !== undefined; present = this.#holders.get(key)) {
      await this.#dislodge(key, present, holder, shown)
    }
    this.#holders.set(key, holder)
  }

  async #dislodge(key: string, present: Holder, holder: Holder, shown: string): Promise<void> {
    const theirs = present.session.info
    // Whose it is, is nobody else's business.
    if (theirs.identity.id !== holder.session.info.identity.id) {
      throw new RystraError('proxy.port-taken', { side: 'server', detail: shown })
    }
    const alive = present.session === holder.session || (await present.session.probe(this.#patience()))
    if (alive) {
      throw new RystraError('proxy.port-taken', {
        side: 'server',
        detail: `${shown}, by proxy ${present.proxy} of client ${theirs.client.id}`
      })
    }
    present.session.destroy(
      new RystraError('session.timeout', { side: 'client', detail: 'it lost a proxy to its successor' })
    )
    await present.session.over
    // A port is free some turns of the event loop after its session: those must come, so this waits outside of them.
    while (this.#holders.get(key) === present) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Gives `key` back, if `holder` still has it. */
  drop(key: string, session: ServerSession): void {
    if (this.#holders.get(key)?.session === session) this.#holders.delete(key)
  }
}
