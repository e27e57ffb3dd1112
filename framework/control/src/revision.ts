import { isPlain } from '@rystra/plugin'
import { createHmac, randomBytes } from 'node:crypto'

/** New for each process: the revision of a configuration that holds a token must not be a way to guess it. */
const key = randomBytes(32)

const codeIds = new WeakMap<object, number>()
let codes = 0

/** Code in a configuration is the same when it is the same object. */
const idOf = (code: object): string => {
  const id = codeIds.get(code) ?? ++codes
  codeIds.set(code, id)
  return `code ${id}`
}

const sorted = (value: unknown): unknown => {
  if (typeof value === 'function') return idOf(value)
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
  if (Array.isArray(value)) return value.map(sorted)
  if (!isPlain(value)) return idOf(value)
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, item]) => [name, sorted(item)]))
}

/** Names a configuration: the same for the same content within one process, and nothing can be learnt from it. */
export const revisionOf = (config: object): string =>
  createHmac('sha256', key)
    .update(JSON.stringify(sorted(config)))
    .digest('base64url')
    .slice(0, 16)
