import { type Challenge, challengeBytes } from '@rystra/plugin'
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(pbkdf2)

const hmac = (key: Uint8Array, ...parts: readonly (Uint8Array | string)[]): Buffer => {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** What a server keeps of a password (RFC 5802 section 3): it does not let its holder log in elsewhere. */
export interface Verifier {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** The keys of a password. */
const keysOf = async (password: string, salt: Uint8Array, iterations: number) => {
  const salted = await derive(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
  return { clientKey: hmac(salted, 'Client Key'), serverKey: hmac(salted, 'Server Key') }
}

const hash = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()

export const verifierOf = async (password: string, salt: Buffer, iterations: number): Promise<Verifier> => {
  const { clientKey, serverKey } = await keysOf(password, salt, iterations)
  return { salt, iterations, storedKey: hash(clientKey), serverKey }
}

/** What both ends sign: the handshake, with its channel binding, and both messages before. */
export const signedBytes = (challenge: Challenge, first: Uint8Array, further: Uint8Array): Buffer =>
  Buffer.concat([hash(challengeBytes(challenge)), hash(first), hash(further)])

const xor = (one: Uint8Array, other: Uint8Array): Buffer =>
  Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)))

/** What a proof yields at both ends: the confirmation of the server, and the secret of the session. */
const granted = (clientKey: Uint8Array, serverKey: Uint8Array, signed: Uint8Array) => ({
  confirm: hmac(serverKey, signed),
  secret: hmac(clientKey, 'Session Key', signed)
})

/** The proof of a client (RFC 5802), with what it expects of the server. */
export const prove = async (password: string, salt: Uint8Array, iterations: number, signed: Uint8Array) => {
  const { clientKey, serverKey } = await keysOf(password, salt, iterations)
  const proof = xor(clientKey, hmac(hash(clientKey), signed))
  return { proof, ...granted(clientKey, serverKey, signed) }
}

/** What the proof yields, if it holds. */
export const check = ({ storedKey, serverKey }: Verifier, proof: Uint8Array, signed: Uint8Array) => {
  if (proof.length !== storedKey.length) return undefined
  const clientKey = xor(proof, hmac(storedKey, signed))
  return timingSafeEqual(hash(clientKey), storedKey) ? granted(clientKey, serverKey, signed) : undefined
}
