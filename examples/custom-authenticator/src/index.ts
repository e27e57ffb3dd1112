import { type Authenticator, defineExtension, type Proof, Type } from '@rystra/plugin'
import { createHmac, randomBytes } from 'node:crypto'
import { firstOf, furtherOf, nameIn, NONCE_BYTES, readFurther } from './messages.js'
import { check, prove, signedBytes, type Verifier, verifierOf } from './scram.js'

const method = 'scram'
const text = { minLength: 1, maxLength: 128 }

/** The client half: name first, then the proof over salt and iterations of the server. */
const client = (name: string, password: string): Authenticator => ({
  method,
  rounds: true,
  prove: (challenge): Proof => {
    const first = firstOf(name, randomBytes(NONCE_BYTES))
    return {
      proof: first,
      next: async (further) => {
        const { salt, iterations } = readFurther(further)
        return prove(password, salt, iterations, signedBytes(challenge, first, further))
      }
    }
  }
})

/** The server half. A name that is not known is challenged as well, so that names cannot be found out. */
const server = (users: ReadonlyMap<string, Verifier>, iterations: number): Authenticator => {
  const key = randomBytes(32)
  const unknownSalt = (name: string): Buffer => createHmac('sha256', key).update(name).digest().subarray(0, NONCE_BYTES)
  return {
    method,
    rounds: true,
    verify: (first, challenge) => {
      const name = nameIn(first)
      if (name === undefined) return { deny: `first message of ${first.length} bytes` }
      const user = users.get(name)
      const salt = user?.salt ?? unknownSalt(name)
      const further = furtherOf(user?.iterations ?? iterations, randomBytes(NONCE_BYTES), salt)
      return {
        challenge: further,
        next: (proof) => {
          const granted = user && check(user, proof, signedBytes(challenge, first, further))
          return granted === undefined ? { deny: 'wrong name or password' } : { identity: { id: name }, ...granted }
        }
      }
    }
  }
}

/** Names and passwords by SCRAM (RFC 5802): the password does not cross the wire, and the server need not know it. */
export default defineExtension({
  name: 'auth-scram',
  options: Type.Object({
    name: Type.Optional(Type.String({ ...text, description: 'Client: its name. Default: none.' })),
    password: Type.Optional(
      Type.String({ ...text, secret: true, description: 'Client: the password of `name`. Default: none.' })
    ),
    users: Type.Optional(
      Type.Record(Type.String(text), Type.String(text), {
        secret: true,
        description: 'Server: the passwords of its clients by name. Default: none.'
      })
    ),
    iterations: Type.Integer({
      default: 100_000,
      minimum: 1000,
      maximum: 1_000_000,
      description: 'Server: iterations of PBKDF2, which the client does for each session. Default: 100000.'
    })
  }),
  setup({ registries, role, options: { name, password, users, iterations } }) {
    if (role === 'client') {
      if (name !== undefined && password !== undefined) registries.authenticators.add(client(name, password))
      else registries.authenticators.add({ method })
      return
    }
    const known = new Map<string, Verifier>()
    registries.authenticators.add(server(known, iterations))
    return {
      start: async () => {
        for (const [user, secret] of Object.entries(users ?? {}))
          known.set(user, await verifierOf(secret, randomBytes(NONCE_BYTES), iterations))
      }
    }
  }
})
