import type { ResolvedConfig } from '@rystra/config'
import { redact } from '@rystra/kernel'

/** The part of a URL before the last `@` is a user and a password. */
const credentials = /^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i

const withoutCredentials = (value: unknown): unknown => {
  if (typeof value === 'string') return value.replace(credentials, '$1[redacted]@')
  if (Array.isArray(value)) return value.map(withoutCredentials)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withoutCredentials(item)]))
}

/** A configuration for people and programs to read: secrets, and credentials in URLs, are left out. */
export const publicConfig = (config: ResolvedConfig): object => withoutCredentials(redact(config)) as object
