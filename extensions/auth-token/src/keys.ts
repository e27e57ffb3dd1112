import { createHmac } from 'node:crypto'

/** Bytes of a token's id. */
export const ID_LENGTH = 8

/** What is made of a token once, so that the token itself is needed no more. */
export interface TokenKeys {
  /** Says which token a proof was made with, {@link ID_LENGTH} bytes. Tells nothing of a token that cannot be guessed. */
  readonly id: Buffer
  /** Key of the client's proof. */
  readonly proof: Buffer
  /** Key of the server's confirmation. */
  readonly confirm: Buffer
  /** What the secret of a session is derived from. */
  readonly session: Buffer
}

const derive = (token: string, purpose: string): Buffer =>
  createHmac('sha256', Buffer.from(token, 'utf8')).update(`rystra token ${purpose}`).digest()

/** One key for each purpose, so that what was made for one can never pass for another. */
export const tokenKeys = (token: string): TokenKeys => ({
  id: derive(token, 'id').subarray(0, ID_LENGTH),
  proof: derive(token, 'proof'),
  confirm: derive(token, 'confirm'),
  session: derive(token, 'session')
})
