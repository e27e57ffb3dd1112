import type { HeaderField } from '@rystra/plugin'

/** What stands for a masked value. */
export const MASK = '[masked]'

/** Names whose values are always masked. */
const secret =
  /^(authorization|proxy-authorization|cookie|set-cookie|x-api-key)$|token|secret|passw|credential|signature|session|api[-_]?key/i

const patternOf = (text: string): RegExp =>
  new RegExp(
    `^${text
      .split('*')
      .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*')}$`,
    'i'
  )

/** Whether the value of a name is masked. */
export type IsSecret = (name: string) => boolean

/** By the names that are always masked, and by further patterns. */
export const secretNames = (patterns: readonly string[]): IsSecret => {
  const more = patterns.map(patternOf)
  return (name) => secret.test(name) || more.some((pattern) => pattern.test(name))
}

/** A head without secrets. */
export const maskHeaders = (headers: readonly HeaderField[], isSecret: IsSecret): HeaderField[] =>
  headers.map(([name, value]) => [name, isSecret(name) ? MASK : value])

/** A target without secrets in its query. */
export const maskTarget = (target: string, isSecret: IsSecret): string => {
  const at = target.indexOf('?')
  if (at === -1) return target
  const query = target
    .slice(at + 1)
    .split('&')
    .map((part) => {
      const equals = part.indexOf('=')
      return equals > 0 && isSecret(part.slice(0, equals)) ? `${part.slice(0, equals)}=${MASK}` : part
    })
  return `${target.slice(0, at)}?${query.join('&')}`
}
