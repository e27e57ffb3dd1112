/** Names of options whose values are secret. */
const secretName = /token|secret|password|passphrase|passwd|credential|key/i

/** What stands in the place of a secret. */
export const redacted = '[redacted]'

/** Whether an option of this name is taken for a secret. */
export const isSecretName = (name: string): boolean => secretName.test(name)

/**
 * A copy for people to see. Strings and numbers under a name that smells of a secret are left out, at any depth below
 * it; what is neither plain data nor a list is shown by its kind alone.
 */
export const redact = (value: unknown, secret = false, depth = 0): unknown => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint')
    return secret ? redacted : value
  if (value === null || value === undefined || typeof value === 'boolean') return value
  if (depth > 16) return '[…]'
  if (Array.isArray(value)) return value.map((item) => redact(item, secret, depth + 1))
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
