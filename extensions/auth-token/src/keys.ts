import { createHmac } from 'node:crypto'

/** Size of a token id. */
export const ID_LENGTH = 8

/** Keys derived from a token, which itself is needed no more. */
export interface TokenKeys {
  /** Identifies the token of a proof, {@link ID_LENGTH} bytes. Reveals nothing of a token with enough entropy. */
  readonly id: Buffer
  /** Key of the client's proof. */
  readonly proof: Buffer
  /** Key of the server's confirmation. */
  readonly confirm: Buffer
  /** Key from which the session secret is derived. */
  readonly session: Buffer
}

const derive = (token: string, purpose: string): Buffer =>
  createHmac('sha256', Buffer.from(token, 'utf8')).update(`rystra token ${purpose}`).digest()

/** One key per purpose, so that a value for one is never valid for another. */
export const tokenKeys = (token: string): TokenKeys => ({
  id: derive(token, 'id').subarray(0, ID_LENGTH),
  proof: derive(token, 'proof'),
  confirm: derive(token, 'confirm'),
  session: derive(token, 'session')
})
