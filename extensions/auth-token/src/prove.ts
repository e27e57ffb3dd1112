import { type Authenticator, type Challenge, type Logger, type Proof, RystraError } from '@rystra/plugin'
import { tokenKeys } from './keys.js'
import { makeConfirm, makeProof, makeSecret } from './proof.js'
import type { TokenSource } from './source.js'

const prove = (source: TokenSource, challenge: Challenge): Proof => {
  if (source.token === undefined) throw new RystraError('extension.options', { detail: `${source.where}: not read` })
  const keys = tokenKeys(source.token)
  return {
    proof: makeProof(keys, challenge),
    confirm: makeConfirm(keys, challenge),
    secret: makeSecret(keys, challenge)
  }
}

/** The client half. A file is checked for each session, so that a changed token applies from the next one. */
export const prover =
  (source: TokenSource, log: Logger): NonNullable<Authenticator['prove']> =>
  (challenge) =>
    !source.isFile
      ? prove(source, challenge)
      : source
          .read()
          .catch((error: Error) => log.warn(`keeping the previous token: ${error.message}`))
          .then(() => prove(source, challenge))
