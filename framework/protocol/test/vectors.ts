import { readFileSync } from 'node:fs'
import type { Message } from '@rystra/protocol'

interface File {
  readonly preface: string
  readonly messages: readonly { note: string; message: { type: string }; frame: string }[]
  readonly handshake: readonly { from: 'client' | 'server'; what: string; bytes: string }[]
  readonly transcript: string
  readonly dataLinks: readonly {
    secret: string
    session: string
    counter: number
    opens: boolean
    proof: string
    opening: string
  }[]
  readonly early: readonly {
    id: string
    secret: string
    nonce: string
    client: string
    channel: string
    data: string
    proof: string
  }[]
  readonly accepted: readonly { what: string; frames: string; messages: readonly { type: string }[] }[]
  readonly refused: readonly { what: string; limit: number; frame: string; error: string }[]
}

export const vectors = JSON.parse(readFileSync(new URL('../vectors.json', import.meta.url), 'utf8')) as File

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'))

/** `{ "hex": … }` stands for bytes. */
const revive = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(revive)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  if (entries.length === 1 && entries[0]?.[0] === 'hex') return unhex(entries[0][1])
  return Object.fromEntries(entries.map(([key, inner]) => [key, revive(inner)]))
}

export const messageOf = (json: { type: string }): Message => revive(json) as Message

/** The message of that kind which the vectors show first. */
export const sample = (type: string): { message: Message; frame: Uint8Array } => {
  const found = vectors.messages.find(({ message }) => message.type === type)
  if (found === undefined) throw new Error(`no vector for ${type}`)
  return { message: messageOf(found.message), frame: unhex(found.frame) }
}
