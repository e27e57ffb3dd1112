/** Names of options whose values are secret. */
const secretName = /token|secret|passw|passphrase|credential|authorization|cookie|key|^(auth|psk)$/i

/** User and password in a URL: the part before the last `@`. */
const credentials = /^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i

/** What stands in the place of a secret. */
export const redacted = '[redacted]'

/** Whether an option of this name is taken for a secret. */
export const isSecretName = (name: string): boolean => secretName.test(name)

/**
 * A copy for people to see. Strings and numbers under a name that sounds like a secret are left out, at any depth below
 * it; what is neither plain data nor a list is shown by its kind alone.
 */
export const redact = (value: unknown, secret = false, depth = 0): unknown => {
  if (typeof value === 'string') return secret ? redacted : value.replace(credentials, `$1${redacted}@`)
  if (typeof value === 'number' || typeof value === 'bigint') return secret ? redacted : value
  if (value === null || value === undefined || typeof value === 'boolean') return value
  if (depth > 16) return '[…]'
  if (Array.isArray(value)) {
    // A field as name and value, such as one of HTTP.
    const pair = value.length === 2 && typeof value[0] === 'string' && isSecretName(value[0])
    return value.map((item, index) => redact(item, secret || (pair && index === 1), depth + 1))
  }
  if (isPlain(value)) {
    const entries = Object.entries(value)
    return Object.fromEntries(
      entries.map(([name, item]) => [name, redact(item, secret || isSecretName(name), depth + 1)])
    )
  }
  return typeof value === 'function' ? '[function]' : `[${(value as object).constructor?.name ?? 'object'}]`
}

/** Whether a value is an object as a literal makes it, and not an instance of some class. */
export const isPlain = (value: unknown): value is Record<string, unknown> => {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}
