import { pattern } from '@rystra/address'
import { identityFault, RystraError } from '@rystra/plugin'

/** Verified claims of a token. */
export type Claims = Readonly<Record<string, unknown>>

type Find = (claims: Claims) => unknown

const child = (value: unknown, key: string): unknown => {
  // Inherited properties and list lengths are not claims.
  if (Array.isArray(value)) return /^\d+$/.test(key) ? value[Number(key)] : undefined
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}

/** Selects a claim by its name, or by JSON pointer (RFC 6901) when it begins with a slash. */
const claimAt = (path: string): Find => {
  if (!path.startsWith('/')) return (claims) => child(claims, path)
  const keys = path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  return (claims) => keys.reduce<unknown>(child, claims)
}

/** Checks required claims; returns the first problem, for the log. */
export const requirements = (
  required: Readonly<Record<string, string | number | boolean>>
): ((claims: Claims) => string | undefined) => {
  const checks = Object.entries(required).map(([path, expected]) => {
    const find = claimAt(path)
    const matches = typeof expected === 'string' ? pattern(expected) : undefined
    const one = (value: unknown): boolean =>
      matches === undefined ? value === expected : typeof value === 'string' && matches(value)
    return (claims: Claims): string | undefined => {
      const value = find(claims)
      if (value === undefined) return `claim ${path} is missing`
      return (Array.isArray(value) ? value.some(one) : one(value)) ? undefined : `claim ${path} has another value`
    }
  })
  return (claims) => {
    for (const check of checks) {
      const problem = check(claims)
      if (problem !== undefined) return problem
    }
    return undefined
  }
}

/** Compiles an id template. Throws `extension.options` for invalid templates. */
export const identityOf = (
  template: string,
  where: string
): ((claims: Claims) => { readonly id: string } | { readonly deny: string }) => {
  const parts = template.split(/\{([^{}]+)\}/)
  const finds = parts.map((part, index) => {
    if (index % 2 === 1) return claimAt(part)
    if (!/[{}]/.test(part)) return undefined
    throw new RystraError('extension.options', { detail: `${where}: unmatched brace in "${template}"` })
  })
  return (claims) => {
    let id = ''
    for (const [index, part] of parts.entries()) {
      const find = finds[index]
      const value = find === undefined ? part : find(claims)
      // A rounded number may equal that of another identity.
      if (typeof value === 'number' && !Number.isSafeInteger(value)) {
        return { deny: `claim ${part} is not a safe integer` }
      }
      if (typeof value !== 'string' && typeof value !== 'number') return { deny: `claim ${part} is not text` }
      // An id with an empty part may equal another id.
      if (find !== undefined && value === '') return { deny: `claim ${part} is empty` }
      id += value
    }
    const fault = identityFault(id)
    return fault === undefined ? { id } : { deny: `identity ${fault}` }
  }
}

/** Rights from claims, in addition to the fixed ones. */
export const rightsOf = (
  fixed: Readonly<Record<string, unknown>> | undefined,
  from: Readonly<Record<string, string>> | undefined
): ((claims: Claims) => Readonly<Record<string, unknown>> | undefined) => {
  if (from === undefined) return () => fixed
  const finds = Object.entries(from).map(([name, path]) => [name, claimAt(path)] as const)
  return (claims) => {
    const found = finds.flatMap(([name, find]) => {
      const value = find(claims)
      return value === undefined ? [] : [[name, value] as const]
    })
    return { ...fixed, ...Object.fromEntries(found) }
  }
}
