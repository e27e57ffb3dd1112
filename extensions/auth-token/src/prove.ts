import { type Authenticator, type Challenge, type Logger, type Proof, RystraError } from '@rystra/plugin'
import { type TokenKeys, tokenKeys } from './keys.js'
import { makeConfirm, makeProof, makeSecret } from './proof.js'
import type { TokenSource } from './source.js'

/** The client half. A file is checked for each session, so that a changed token applies from the next one. */
export const prover = (source: TokenSource, log: Logger): NonNullable<Authenticator['prove']> => {
  // Derived once for each token, and not for each session.
  let known: { readonly token: string; readonly keys: TokenKeys } | undefined
  const prove = (challenge: Challenge): Proof => {
    const { token, where } = source
    if (token === undefined) throw new RystraError('extension.options', { detail: `${where}: not read` })
    if (known?.token !== token) known = { token, keys: tokenKeys(token) }
    const { keys } = known
    return {
      proof: makeProof(keys, challenge),
      confirm: makeConfirm(keys, challenge),
      secret: makeSecret(keys, challenge)
    }
  }
  return (challenge) =>
    !source.isFile
      ? prove(challenge)
      : source
          .read()
          .catch((error: Error) => log.warn(`keeping the previous token: ${error.message}`))
          .then(() => prove(challenge))
}
