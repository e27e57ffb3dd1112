import { endpointProblem } from '@rystra/address'
import { RystraError } from '@rystra/model'
import { createHash } from 'node:crypto'

/** What a client needs to reach a server. */
export interface Join {
  readonly transport: string
  readonly host: string
  readonly port: number
  /** Further servers with the same certificate and token, as `host:port`. */
  readonly more: readonly string[]
  readonly token: string
  /** The token is for one client: the first that presents it. */
  readonly once: boolean
  /** Further fields of `client.connect`: `fingerprint`. */
  readonly fields: Readonly<Record<string, string>>
}

const PREFIX = 'rystra1_'
const CHECKSUM_BYTES = 4
/** Longer than any that is made: bounds what is decoded. */
const MAX_LENGTH = 8192

/** Numbers of the fields. From 128 on, a reader skips one that it does not know. */
const numbers = { transport: 1, host: 2, port: 3, fingerprint: 4, token: 5, once: 6, field: 7, more: 128 } as const

const checksum = (payload: Buffer): Buffer =>
  createHash('sha256').update(PREFIX).update(payload).digest().subarray(0, CHECKSUM_BYTES)

const field = (number: number, value: Buffer | string): Buffer => {
  const bytes = Buffer.from(value as string)
  const head = Buffer.alloc(3)
  head.writeUInt8(number)
  head.writeUInt16BE(bytes.length, 1)
  return Buffer.concat([head, bytes])
}

const fingerprintBytes = (text: string): Buffer | undefined => {
  const digits = /^sha256:([0-9a-f]{64})$/.exec(text)?.[1]
  return digits === undefined ? undefined : Buffer.from(digits, 'hex')
}

const fieldOf = ([name, value]: [string, string]): Buffer => {
  const pin = name === 'fingerprint' ? fingerprintBytes(value) : undefined
  return pin === undefined ? field(numbers.field, `${name}=${value}`) : field(numbers.fingerprint, pin)
}

/** One word with all of it; see docs/reference/join.md. */
export const encodeJoin = ({ transport, host, port, more, token, once, fields }: Join): string => {
  const payload = Buffer.concat([
    field(numbers.transport, transport),
    field(numbers.host, host),
    field(numbers.port, Buffer.from([port >> 8, port & 255])),
    ...Object.entries(fields).map(fieldOf),
    field(numbers.token, token),
    ...(once ? [field(numbers.once, '')] : []),
    // Skipped by readers that know one address only.
    ...more.map((address) => field(numbers.more, address))
  ])
  return PREFIX + Buffer.concat([payload, checksum(payload)]).toString('base64url')
}

const invalid = (name: string, problem: string): RystraError =>
  new RystraError('usage.invalid', {
    side: 'client',
    detail: `${name}: ${problem}`,
    hint: 'copy the whole word that `rystra serve` prints'
  })

/** Bounded by the length of the word; read again as an entry of `client.connect.servers`. */
const addressOf = (text: string, name: string): string => {
  if (endpointProblem(text, {}) === undefined) return text
  throw invalid(name, 'the join string names an invalid server')
}

/** Reads a join string. Throws `usage.invalid`. @param name how the error names it */
export const decodeJoin = (text: string, name = '--join'): Join => {
  if (/^rystra[2-9]/.test(text)) throw invalid(name, 'made by a newer version of Rystra: update this one')
  if (!isJoin(text)) throw invalid(name, `expected a join string, which begins with ${PREFIX}`)
  const word = text.slice(PREFIX.length)
  const bytes = /^[\w-]+$/.test(word) && word.length <= MAX_LENGTH ? Buffer.from(word, 'base64url') : Buffer.alloc(0)
  const payload = bytes.subarray(0, -CHECKSUM_BYTES)
  // Node skips what is no base64url, so that a damaged word could pass.
  if (
    bytes.toString('base64url') !== word ||
    payload.length === 0 ||
    !checksum(payload).equals(bytes.subarray(-CHECKSUM_BYTES))
  )
    throw invalid(name, 'the join string is damaged: its checksum does not match')
  const found = new Map<number, Buffer>()
  const fields: Record<string, string> = {}
  const more: string[] = []
  for (let at = 0; at < payload.length; ) {
    if (at + 3 > payload.length) throw invalid(name, 'the join string is cut')
    const number = payload.readUInt8(at)
    const value = payload.subarray(at + 3, at + 3 + payload.readUInt16BE(at + 1))
    at += 3 + payload.readUInt16BE(at + 1)
    if (number === numbers.field) {
      const [, key = '', content = ''] = /^([A-Za-z]\w*)=(.*)$/s.exec(value.toString()) ?? []
      if (key !== '') fields[key] = content
    } else if (number === numbers.fingerprint) fields['fingerprint'] = `sha256:${value.toString('hex')}`
    else if (number === numbers.more) more.push(addressOf(value.toString(), name))
    else if (number < 128 && !Object.values(numbers).some((known) => known === number))
      throw invalid(name, 'made by a newer version of Rystra: update this one')
    else found.set(number, value)
  }
  const textOf = (number: number): string => found.get(number)?.toString() ?? ''
  const port = found.get(numbers.port)
  const join = {
    transport: textOf(numbers.transport),
    host: textOf(numbers.host),
    port: port?.length === 2 ? port.readUInt16BE() : 0,
    more,
    token: textOf(numbers.token),
    once: found.has(numbers.once),
    fields
  }
  if (join.transport === '' || join.host === '' || join.port === 0 || join.token === '')
    throw invalid(name, 'the join string lacks transport, host, port or token')
  return join
}

/** Whether text is meant as a join string. */
export const isJoin = (text: string): boolean => text.startsWith(PREFIX)
