import { type Challenge, challengeBytes, defineExtension, Type } from '@rystra/plugin'
import { createHmac, timingSafeEqual } from 'node:crypto'

/** Authenticates clients by a secret that both ends have. */
export default defineExtension({
  name: 'my-extension',
  options: Type.Object({
    secret: Type.String({ minLength: 16, secret: true, description: 'Secret of both ends, 16 characters or more.' }),
    identity: Type.String({ default: 'default', description: 'Identity of clients that know the secret.' })
  }),
  setup({ registries, options: { secret, identity } }) {
    // The word tells proof, confirmation and session secret apart; the challenge binds all to this handshake and this link.
    const mac = (word: string, challenge: Challenge): Buffer =>
      createHmac('sha256', secret).update(word).update(challengeBytes(challenge)).digest()
    registries.authenticators.add({
      method: 'my-word',
      prove: (challenge) => ({
        proof: mac('proof', challenge),
        confirm: mac('confirm', challenge),
        secret: mac('session', challenge)
      }),
      verify: (proof, challenge) => {
        const expected = mac('proof', challenge)
        if (proof.length !== expected.length || !timingSafeEqual(proof, expected)) return { deny: 'wrong secret' }
        return { identity: { id: identity }, confirm: mac('confirm', challenge), secret: mac('session', challenge) }
      }
    })
  }
})
