import type { AuthAnswer, Authenticator, Challenge } from '@rystra/plugin'
import type { Keyring } from './keyring.js'
import { checkProof, makeConfirm, makeSecret, proofId } from './proof.js'

const check = (keyring: Keyring, proof: Uint8Array, challenge: Challenge): AuthAnswer => {
  const id = proofId(proof)
  if (id === undefined) return { deny: `proof of ${proof.length} bytes` }
  const key = keyring.find(id)
  // An unknown token takes the same time as a known one, so that timing reveals no token ids.
  const valid = checkProof(key?.keys ?? keyring.unknown, challenge, proof)
  if (key === undefined) return { deny: `unknown token id ${id.toString('hex')}` }
  if (!valid) return { deny: `invalid proof for ${key.identity.id}` }
  if (!key.isFor(challenge.clientId)) return { deny: `the token of ${key.identity.id} is for one client, another one` }
  return {
    identity: key.identity,
    confirm: makeConfirm(key.keys, challenge),
    secret: makeSecret(key.keys, challenge),
    credential: id.toString('hex')
  }
}

/** The server half: verifies a proof. */
export const verifier =
  (keyring: Keyring): NonNullable<Authenticator['verify']> =>
  (proof, challenge) => {
    const wait = keyring.refresh()
    return wait === undefined ? check(keyring, proof, challenge) : wait.then(() => check(keyring, proof, challenge))
  }

/** The server half: whether a session would still be accepted, by the id of its token. */
export const reviewer =
  (keyring: Keyring): NonNullable<Authenticator['review']> =>
  ({ credential = '', identity }) => {
    const key = keyring.review(credential)
    if (key === undefined) return undefined
    return key === 'unknown'
      ? { deny: `its token of ${identity.id} is no longer configured` }
      : { identity: key.identity }
  }
