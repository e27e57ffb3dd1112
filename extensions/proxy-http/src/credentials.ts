import { createHash, timingSafeEqual } from 'node:crypto'
import type { Account } from './spec.js'

/**
 * What stands for a password in a spec: SHA-256 of a fixed word, the user and the password, base64url. It keeps passwords
 * out of logs; a short password can be guessed from it all the same.
 */
export const hashOf = (user: string, password: string): string =>
  createHash('sha256').update(`rystra basic\0${user}\0${password}`).digest('base64url')

/** Characters of an Authorization header that is looked at. */
const LONGEST = 4096

/** Accounts of basic authentication, RFC 7617. */
export class Credentials {
  readonly #hashes: readonly Buffer[]

  /** Throws `RangeError` for an account without a hash. */
  constructor(accounts: readonly Account[]) {
    this.#hashes = accounts.map(({ hash }) => {
      if (hash === undefined) throw new RangeError('an account has no hash')
      return Buffer.from(hash, 'base64url')
    })
  }

  /** Takes as long for each answer, whichever account it is. */
  admit(authorization: string | undefined): boolean {
    if (authorization === undefined || authorization.length > LONGEST) return false
    const [, encoded] = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization) ?? []
    if (encoded === undefined) return false
    const written = Buffer.from(encoded, 'base64').toString('utf8')
    const colon = written.indexOf(':')
    if (colon < 0) return false
    const hash = Buffer.from(hashOf(written.slice(0, colon), written.slice(colon + 1)), 'base64url')
    let admitted = false
    for (const known of this.#hashes) if (timingSafeEqual(known, hash)) admitted = true
    return admitted
  }
}
