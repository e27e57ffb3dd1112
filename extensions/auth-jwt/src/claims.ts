import { pattern } from '@rystra/address'
import { identityFault, RystraError } from '@rystra/plugin'

/** What a token says, verified. */
export type Claims = Readonly<Record<string, unknown>>

type Find = (claims: Claims) => unknown

const child = (value: unknown, key: string): unknown => {
  // neither what a prototype has, nor the length of a list
  if (Array.isArray(value)) return /^\d+$/.test(key) ? value[Number(key)] : undefined
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined
}

/** A claim by its name, or, where that begins with a slash, by JSON pointer (RFC 6901). */
const claimAt = (path: string): Find => {
  if (!path.startsWith('/')) return (claims) => child(claims, path)
  const keys = path
    .slice(1)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  return (claims) => keys.reduce<unknown>(child, claims)
}

/** Whether claims are as they have to be; otherwise what is not, in words for the log. */
export const requirements = (
  wanted: Readonly<Record<string, string | number | boolean>>
): ((claims: Claims) => string | undefined) => {
  const checks = Object.entries(wanted).map(([path, expected]) => {
    const find = claimAt(path)
    const fits = typeof expected === 'string' ? pattern(expected) : undefined
    const one = (value: unknown): boolean =>
      fits === undefined ? value === expected : typeof value === 'string' && fits(value)
    return (claims: Claims): string | undefined => {
      const value = find(claims)
      if (value === undefined) return `it has no claim ${path}`
      return (Array.isArray(value) ? value.some(one) : one(value)) ? undefined : `its claim ${path} is another one`
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

/** Makes ids of claims. Throws `extension.options` for templates that cannot be. */
export const identityOf = (
  template: string,
  where: string
): ((claims: Claims) => { readonly id: string } | { readonly deny: string }) => {
  const parts = template.split(/\{([^{}]+)\}/)
  const finds = parts.map((part, index) => {
    if (index % 2 === 1) return claimAt(part)
    if (!/[{}]/.test(part)) return undefined
    throw new RystraError('extension.options', { detail: `${where}: a lone brace in "${template}"` })
  })
  return (claims) => {
    let id = ''
    for (const [index, part] of parts.entries()) {
      const find = finds[index]
      const value = find === undefined ? part : find(claims)
      // A number that JSON has rounded is that of others, too.
      if (typeof value === 'number' && !Number.isSafeInteger(value)) {
        return { deny: `its claim ${part} is a number that is not whole, or too large to be exact` }
      }
      if (typeof value !== 'string' && typeof value !== 'number') return { deny: `its claim ${part} is no text` }
      // An id with a hole in it could be that of somebody else.
      if (find !== undefined && value === '') return { deny: `its claim ${part} is empty` }
      id += value
    }
    const fault = identityFault(id)
    return fault === undefined ? { id } : { deny: `the identity in it ${fault}` }
  }
}

/** What rights the claims give, over those that everybody has. */
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
