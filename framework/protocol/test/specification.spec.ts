import { printablePattern } from '@rystra/model'
import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { errorTable } from '@rystra/model'
import * as limits from '../src/limits.js'
import type { MessageName } from '@rystra/protocol'
import { definitions, messageNames } from '../src/messages.js'
import { hex, sample, vectors } from './vectors.js'

const text = readFileSync(new URL('../SPEC.md', import.meta.url), 'utf8')

/** Rows of the first table behind a heading, cells trimmed. */
const tableBehind = (heading: string): string[][] => {
  const section = text.slice(text.indexOf(heading) + heading.length)
  const lines = section.split('\n')
  const head = lines.findIndex((line) => /^\| ?---/.test(line))
  const behind = lines.slice(head + 1)
  const end = behind.findIndex((line) => !line.startsWith('|'))
  const cells = (row: string) => row.split('|').slice(1, -1)
  return behind.slice(0, end).map((row) => cells(row).map((cell) => cell.trim()))
}

const uint = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }
const named = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength, pattern: printablePattern })
const port = { type: 'integer', minimum: 0, maximum: 65535 }

/** What section 3.4 says, as JSON Schema. */
const types: Record<string, (size: number) => object> = {
  uint: () => uint,
  u16: () => port,
  u32: () => ({ type: 'integer', minimum: 0, maximum: 0xffffffff }),
  details: () => ({ type: 'object', properties: {}, additionalProperties: true }),
  traceparent: () => ({ type: 'string', pattern: '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' }),
  bool: () => ({ type: 'boolean' }),
  ms: () => ({ type: 'integer', minimum: 0, maximum: limits.MAX_MILLISECONDS }),
  moment: () => ({ type: 'number', minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  name: named,
  token: () => named(64),
  tokens: (maxItems) => ({ type: 'array', maxItems, items: named(64) }),
  bin: (size) => ({ type: 'Uint8Array', minByteLength: size, maxByteLength: size }),
  'bin ≤': (size) => ({ type: 'Uint8Array', maxByteLength: size }),
  text: (maxLength) => ({ type: 'string', maxLength }),
  'int 1–': (maximum) => ({ type: 'integer', minimum: 1, maximum }),
  endpoint: () => ({
    type: 'array',
    items: [{ type: 'string', maxLength: limits.MAX_HOST, pattern: printablePattern }, port],
    additionalItems: false,
    minItems: 2,
    maxItems: 2
  }),
  endpoints: (maxItems) => ({ type: 'array', maxItems, items: types['endpoint']?.(0) }),
  error: () => ({
    type: 'object',
    properties: {
      code: named(64),
      detail: { type: 'string', maxLength: 1024 },
      text: { type: 'string', maxLength: 256 },
      retryable: { type: 'boolean' }
    },
    required: ['code']
  }),
  spec: () => ({
    type: 'object',
    properties: { name: named(128), kind: named(64) },
    required: ['name', 'kind'],
    additionalProperties: true
  }),
  limits: () => ({ type: 'object', properties: { proxies: uint, streams: uint }, required: ['proxies', 'streams'] })
}

const typeOf = (words: string): object => {
  const [, type, size] = /^(.*?)\s?(\d+)?$/.exec(/^u(16|32)$/.test(words) ? `${words} ` : words) as unknown as [
    string,
    string,
    string
  ]
  const make = types[words] ?? types[type]
  if (make === undefined) throw new Error(`no such type: ${words}`)
  return make(Number(size))
}

describe('SPEC.md', () => {
  it('describes every message, once, under its number', () => {
    const headings = [...text.matchAll(/^### \d+\.\d+ (\w+) \(0x([0-9a-f]{2})\)$/gm)]
    const described = headings.map(([, name, number]) => [name, Number.parseInt(number as string, 16)])
    expect(described).to.deep.equal(messageNames.map((name) => [name, definitions[name].number]))
  })

  for (const name of messageNames) {
    it(`says fields, order, types and limits of ${name} as they are`, () => {
      const { number, body } = definitions[name as MessageName]
      const rows = tableBehind(` ${name} (0x${number.toString(16).padStart(2, '0')})\n`)
      const said = rows.map(([field = '', type = '']) => [field.replace('?', ''), field.endsWith('?'), typeOf(type)])
      const required: readonly string[] = body.required ?? []
      const is = Object.entries(JSON.parse(JSON.stringify(body.properties))).map(([field, schema]) => [
        field,
        !required.includes(field),
        schema
      ])
      expect(said).to.deep.equal(is)
    })
  }

  it('says every limit as it is', () => {
    const said = tableBehind('## 11. Limits and timers\n').map(([name, value]) => [name, Number(value)])
    expect(Object.fromEntries(said)).to.deep.equal({ ...limits })
  })

  it('names no limit that does not exist', () => {
    for (const [, name = ''] of text.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)) expect(limits).to.have.property(name)
  })

  it('names no error code that does not exist', () => {
    const codes = [...text.matchAll(/`((?:protocol|auth|session|stream|proxy|mux|channel)\.[a-z-]+)`/g)].map(
      ([, code]) => code
    )
    expect(codes).to.have.length.above(10)
    for (const code of codes) expect(errorTable).to.have.property(code as string)
  })

  it('shows the bytes of the vectors', () => {
    const known: Record<string, string | undefined> = {
      preface: vectors.preface,
      transcript: vectors.transcript,
      dataLinkProof: vectors.dataLinks[0]?.proof,
      earlyProof: vectors.early[0]?.proof
    }
    for (const name of messageNames) known[name] = hex(sample(name).frame)
    const blocks = [...text.matchAll(/^```hex (\w+)\n(.*?)^```$/gms)]
    const shown = blocks.map(([, key = '', lines = '']) => [key, lines.replace(/#.*$/gm, '').replace(/\s/g, '')])
    expect(Object.fromEntries(shown)).to.deep.equal(known)
  })
})
