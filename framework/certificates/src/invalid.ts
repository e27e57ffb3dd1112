import { RystraError } from '@rystra/model'

/** What cannot be made, and why. */
export const invalid = (detail: string, hint?: string): RystraError =>
  new RystraError('cert.invalid', { detail, ...(hint === undefined ? {} : { hint }) })

/** A value from outside, short enough for a message. */
export const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 79)}…` : text
}
