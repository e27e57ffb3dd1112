import type { DirectoryChange, DirectoryClaim, DirectoryMember, DirectoryRow } from '@rystra/plugin'
import { createHash } from 'node:crypto'

/** Text without blanks for a word that may have any: all that scripts need is whether two are the same. */
const word = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 27)

/** What scripts compare in place of the owner. */
export const ownerWord = (owner: string): string => word(owner)
/** What scripts compare in place of the share. */
export const shareWord = (share: string | undefined): string => (share === undefined ? '-' : word(share))

/** What the engine keeps of a row, behind what its scripts read. */
export const recordText = ({ key, id, owner, share, value }: DirectoryClaim, member: string): string =>
  JSON.stringify({ key, id, owner, share, member, value })

type Fields = Readonly<Record<string, unknown>>

const malformed = (what: string): TypeError => new TypeError(`malformed ${what} in the engine`)

const fieldsOf = (json: string): Fields => {
  const value: unknown = JSON.parse(json)
  if (typeof value !== 'object' || value === null) throw malformed('record')
  return value as Fields
}

const textOf = (value: unknown, what: string): string => {
  if (typeof value === 'string') return value
  throw malformed(what)
}

/** Throws for text that no script of this package has written. */
export const rowOf = (raw: string): DirectoryRow => {
  const [, fence = '', instance = '', ownerText, shareText, json = ''] =
    /^(\d+) (\S+) (\S+) (\S+) (.*)$/s.exec(raw) ?? []
  if (fence === '') throw malformed('row')
  const { key, id, owner, share, member, value } = fieldsOf(json)
  const row = {
    key: textOf(key, 'key'),
    id: textOf(id, 'id'),
    member: textOf(member, 'member'),
    instance,
    fence: Number(fence),
    owner: textOf(owner, 'owner'),
    ...(share === undefined ? {} : { share: textOf(share, 'share') }),
    ...(value === undefined ? {} : { value })
  }
  const same = ownerWord(row.owner) === ownerText && shareWord(row.share) === shareText
  if (!same || !Number.isSafeInteger(row.fence)) throw malformed('row')
  return row
}

/** Throws for text that no script of this package has written. */
export const memberOf = (name: string, raw: string): DirectoryMember => {
  const [, fence = '', instance = '', json = ''] = /^(\d+) (\S+) (.*)$/s.exec(raw) ?? []
  if (fence === '' || !Number.isSafeInteger(Number(fence))) throw malformed('member')
  return { name, instance, fence: Number(fence), value: JSON.parse(json) as unknown }
}

/** A message of the channel. */
export interface NumberedChange {
  /** One more than that of the message before. */
  readonly sequence: number
  readonly change: DirectoryChange
}

const changeOf = (type: string, fields: readonly string[]): DirectoryChange => {
  const [first = '', second = '', third = ''] = fields
  if (type === 'held') return { type, row: rowOf(first) }
  if (type === 'joined') return { type, member: memberOf(first, second) }
  if (type === 'left') return { type, name: first, instance: second }
  if (type === 'released') return { type, key: first, id: second, fence: Number(third) }
  throw malformed('change')
}

/** Throws for text that no script of this package has written. */
export const numberedOf = (message: string): NumberedChange => {
  const [sequence, type, ...fields] = JSON.parse(message) as readonly unknown[]
  const texts = fields.map((field) => textOf(field, 'change'))
  const number = Number(textOf(sequence, 'number'))
  if (!Number.isSafeInteger(number)) throw malformed('number')
  return { sequence: number, change: changeOf(textOf(type, 'change'), texts) }
}
