import type { AdminCaller } from '@rystra/plugin'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { TokenEntry } from './options.js'

interface KnownToken {
  readonly hash: Buffer
  readonly caller: AdminCaller
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest()

const prefix = 'sha256:'

/** Tokens of callers. Holds hashes only. */
export class Tokens {
  readonly #known: readonly KnownToken[]

  constructor(entries: readonly TokenEntry[]) {
    this.#known = entries.map(({ name, token, scope }) => ({
      hash: token.startsWith(prefix) ? Buffer.from(token.slice(prefix.length), 'hex') : hashOf(token),
      caller: Object.freeze({ name, scope })
    }))
  }

  /** The caller with this token. Compares with all tokens, in constant time. */
  find(token: string): AdminCaller | undefined {
    const hash = hashOf(token)
    let found: AdminCaller | undefined
    for (const known of this.#known) if (timingSafeEqual(known.hash, hash)) found ??= known.caller
    return found
  }
}
