import { RystraError } from '@rystra/plugin'

const NONCE = 16
/** Fewer can be guessed by an observer; more would let a server that is not the right one keep a client busy. */
const MIN_ITERATIONS = 1000
const MAX_ITERATIONS = 1_000_000

/** The first message of a client: its nonce, and its name. */
export const firstOf = (name: string, nonce: Buffer): Buffer => Buffer.concat([nonce, Buffer.from(name, 'utf8')])

/** The name in it; `undefined` for what is too short. */
export const nameIn = (first: Uint8Array): string | undefined =>
  first.length > NONCE ? Buffer.from(first).subarray(NONCE).toString('utf8') : undefined

/** The challenge of the server: iterations, its own nonce, and the salt of the name. */
export const furtherOf = (iterations: number, nonce: Buffer, salt: Buffer): Buffer => {
  const count = Buffer.alloc(4)
  count.writeUInt32BE(iterations)
  return Buffer.concat([count, nonce, salt])
}

/** Throws for a challenge that no right server sends. */
export const readFurther = (further: Uint8Array): { iterations: number; salt: Buffer } => {
  const bytes = Buffer.from(further)
  const iterations = bytes.length === 4 + NONCE + NONCE ? bytes.readUInt32BE() : 0
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS)
    throw new RystraError('auth.server-unproven', { side: 'server', detail: 'invalid challenge of scram' })
  return { iterations, salt: bytes.subarray(4 + NONCE) }
}

export { NONCE as NONCE_BYTES }
