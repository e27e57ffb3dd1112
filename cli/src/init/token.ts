import { randomBytes } from 'node:crypto'

/** 256 bits, in characters that need no quotes anywhere. */
export const freshToken = (): string => {
  const token = randomBytes(32).toString('base64url')
  // A leading dash would look like a flag where the token is pasted.
  return token.startsWith('-') ? freshToken() : token
}
