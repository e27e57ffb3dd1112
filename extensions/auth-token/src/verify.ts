import type { AuthAnswer, Authenticator, Challenge } from '@rystra/plugin'
import type { Keyring } from './keyring.js'
import { checkProof, makeConfirm, makeSecret, proofId } from './proof.js'

const check = (keyring: Keyring, proof: Uint8Array, challenge: Challenge): AuthAnswer => {
  const id = proofId(proof)
  if (id === undefined) return { deny: `a proof of ${proof.length} bytes` }
  const key = keyring.find(id)
  // an unknown token costs the same work as a known one: how long it takes must not tell which ids there are
  const holds = checkProof(key?.keys ?? keyring.nobody, challenge, proof)
  if (key === undefined) return { deny: `no token with the id ${id.toString('hex')}` }
  if (!holds) return { deny: `the proof for ${key.identity.id} does not hold` }
  if (!key.isFor(challenge.clientId)) return { deny: `the token of ${key.identity.id} is for one client, another one` }
  return {
    identity: key.identity,
    confirm: makeConfirm(key.keys, challenge),
    secret: makeSecret(key.keys, challenge)
  }
}

/** The server half: who made this proof? */
export const verifier =
  (keyring: Keyring): NonNullable<Authenticator['verify']> =>
  (proof, challenge) => {
    const wait = keyring.refresh()
    return wait === undefined ? check(keyring, proof, challenge) : wait.then(() => check(keyring, proof, challenge))
  }
