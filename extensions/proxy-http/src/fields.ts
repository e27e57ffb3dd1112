import { hopByHopHeaders } from '@rystra/net'
import type { HeaderField } from '@rystra/plugin'
import type { HeaderChanges } from './spec.js'

/** Fields that the proxy writes itself. */
const ownFields = new Set([...hopByHopHeaders, 'host'])

/** Whether a field, its name in lower case, is written by the proxy alone. */
export const isReserved = (name: string): boolean => ownFields.has(name)

/** Fields that a message may not have behind its body, RFC 9110 §6.5.1. */
const notTrailers = new Set([
  ...ownFields,
  'authorization',
  'cache-control',
  'content-encoding',
  'content-range',
  'content-type',
  'cookie',
  'forwarded',
  'max-forwards',
  'set-cookie',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto'
])

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const UNFIT = /[^\t\x20-\x7e\x80-\xff]/

/** Whether this can be a field of a head. */
export const isField = ([name, value]: HeaderField): boolean => TOKEN.test(name) && !UNFIT.test(value)

/** Whether a method can be in a request line. */
export const isToken = (text: string): boolean => TOKEN.test(text)

const nothing: ReadonlySet<string> = new Set()

/** The fields that the Connection header says are about the connection. */
const namedBy = (connection: string | undefined): ReadonlySet<string> =>
  connection === undefined || /^(keep-alive|close|upgrade)$/i.test(connection)
    ? nothing
    : new Set(connection.split(',').map((name) => name.trim().toLowerCase()))

/**
 * The fields of a head that go on to the other side, in their order: without those about the connection.
 *
 * @param raw names and values in turns, as Node has them
 * @param drop further names, in lower case, that stay here
 */
export const passedOn = (
  raw: readonly string[],
  connection: string | undefined,
  drop: (name: string) => boolean
): HeaderField[] => {
  const named = namedBy(connection)
  const fields: HeaderField[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string
    const lower = name.toLowerCase()
    if (ownFields.has(lower) || named.has(lower) || lower.charCodeAt(0) === 58 || drop(lower)) continue
    fields.push([name, raw[index + 1] as string])
  }
  return fields
}

/** The fields that may stand behind a body. */
export const trailersOf = (raw: readonly string[]): HeaderField[] => {
  const fields: HeaderField[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const field: HeaderField = [raw[index] as string, raw[index + 1] as string]
    if (isField(field) && !notTrailers.has(field[0].toLowerCase())) fields.push(field)
  }
  return fields
}

/** What a proxy's owner changes in heads, made ready once. */
export const changesOf = (changes: HeaderChanges | undefined): ((fields: HeaderField[]) => HeaderField[]) => {
  if (changes === undefined) return (fields) => fields
  const set = Object.entries(changes.set ?? {})
  const add = Object.entries(changes.add ?? {})
  const gone = new Set([...(changes.remove ?? []), ...set.map(([name]) => name)].map((name) => name.toLowerCase()))
  return (fields) => [...fields.filter(([name]) => !gone.has(name.toLowerCase())), ...set, ...add]
}

/** Names and values in turns, as Node takes them. */
export const flat = (fields: readonly HeaderField[]): string[] => {
  const raw: string[] = []
  for (const [name, value] of fields) raw.push(name, value)
  return raw
}

/** Fields of which Node's HTTP/2 sends one, and throws at two. */
const singles = new Set(
  (
    'access-control-allow-credentials access-control-max-age access-control-request-method age authorization ' +
    'content-encoding content-language content-location content-md5 content-range content-type date dnt etag expires ' +
    'from if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards ' +
    'range referer retry-after tk upgrade-insecure-requests user-agent x-content-type-options'
  ).split(' ')
)

/**
 * As Node's HTTP/2 takes them: by name, several values of one name in a list, or in one field where there may be only one:
 * by RFC 9110 §5.3 that is the same.
 */
export const byName = (fields: readonly HeaderField[]): Record<string, string | string[]> => {
  const named: Record<string, string | string[]> = Object.create(null)
  for (const [name, value] of fields) {
    const lower = name.toLowerCase()
    const there = named[lower]
    if (there === undefined) named[lower] = value
    else if (Array.isArray(there)) there.push(value)
    else named[lower] = singles.has(lower) ? `${there}, ${value}` : [there, value]
  }
  return named
}

/** Fields from names and values in turns. */
export const paired = (raw: readonly string[]): HeaderField[] => {
  const fields: HeaderField[] = []
  for (let index = 0; index < raw.length; index += 2) fields.push([raw[index] as string, raw[index + 1] as string])
  return fields
}

const isCookie = ([name]: HeaderField): boolean => name.length === 6 && name.toLowerCase() === 'cookie'

/** HTTP/2 may split cookies into several fields, which are one in every other place, RFC 9113 §8.2.3. */
export const joinCookies = (fields: readonly HeaderField[]): readonly HeaderField[] => {
  const cookies = fields.filter(isCookie)
  const [first] = cookies
  if (first === undefined || cookies.length === 1) return fields
  const joined: HeaderField = [first[0], cookies.map(([, value]) => value).join('; ')]
  return fields.flatMap((field) => (field === first ? [joined] : isCookie(field) ? [] : [field]))
}
