import { type Authenticator, type Challenge, type Logger, type Proof, RystraError } from '@rystra/plugin'
import { type TokenKeys, tokenKeys } from './keys.js'
import { makeConfirm, makeProof, makeSecret } from './proof.js'
import type { TokenSource } from './source.js'

/** Keys of the token that was used last: they are derived once, and not for each session. */
class Prover {
  #token: string | undefined
  #keys!: TokenKeys

  constructor(private readonly source: TokenSource) {}

  prove(challenge: Challenge): Proof {
    const { token, where } = this.source
    if (token === undefined) throw new RystraError('extension.options', { detail: `${where}: not read` })
    if (token !== this.#token) {
      this.#keys = tokenKeys(token)
      this.#token = token
    }
    const keys = this.#keys
    return {
      proof: makeProof(keys, challenge),
      confirm: makeConfirm(keys, challenge),
      secret: makeSecret(keys, challenge)
    }
  }
}

/** The client half. A file is checked for each session, so that a changed token applies from the next one. */
export const prover = (source: TokenSource, log: Logger): NonNullable<Authenticator['prove']> => {
  const one = new Prover(source)
  return (challenge) =>
    !source.isFile
      ? one.prove(challenge)
      : source
          .read()
          .catch((error: Error) => log.warn(`keeping the previous token: ${error.message}`))
          .then(() => one.prove(challenge))
}
