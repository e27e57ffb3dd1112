import { expect } from 'chai'
import fc from 'fast-check'
import { parse as parseJson } from 'jsonc-parser'
import { parse as parseToml } from 'smol-toml'
import { parse as parseYaml } from 'yaml'
import { addEntry, type NewEntry, removeEntry, snippetOf } from '../src/edit/index.js'

interface Parsed {
  extensions?: unknown[] | null
  [key: string]: unknown
}

type Edited = 'yaml' | 'json'

const readers: Record<Edited, (text: string) => Parsed> = {
  yaml: (text) => parseYaml(text) ?? {},
  json: (text) => parseJson(text, [], { allowTrailingComma: true })
}

const hours: NewEntry = {
  use: '@rystra/hook-hours',
  options: {},
  defaults: [
    { key: 'from', value: 9, description: 'First hour.' },
    { key: 'to', value: 17 },
    { key: 'days', value: ['mon', "o'clock"] }
  ]
}

const file = (format: Edited, text: string) => ({ path: `/x/rystra.config.${format}`, format, text })

const add = (format: Edited, text: string, entry: NewEntry = hours): string => {
  const changed = addEntry(file(format, text), entry)
  expect(changed, `nowhere to add in:\n${text}`).to.be.a('string')
  return changed as string
}

const useOf = (entry: unknown): unknown => (typeof entry === 'string' ? entry : (entry as { use: unknown }).use)

/** Texts in each format, each with what a careless edit would break. */
const texts: Record<Edited, string[]> = {
  yaml: [
    `# The tunnel of the office.

extensions: # in this order
  - '@rystra/transport-tcp' # plain
  # tokens of all clients
  - use: '@rystra/auth-token'
    options: { tokens: [{ identity: home, token: '\${RYSTRA_TOKEN}' }] } # from .env

# --- server ---
server:
  listen: [{ transport: tcp,   port: 7000 }] # odd spacing stays
`,
    'extensions:\n- a\n- use: b\n  # options:\n  #   x: 1\nlog: { level: info }\n',
    'extensions: []\nserver:\n  publish: { ports: [1-2] }\n',
    'extensions: # none yet\nserver: {}\n',
    'extensions: [a, { use: b }] # short\nserver: {}\n',
    'server: {}\n# the end',
    'server: {}\nextensions:\n  - use: a\n    options:\n      text: |\n        several\n        # lines\n',
    'server: {}\nextensions:\n  - a'
  ],
  json: [
    '{\n  // comment\n  "extensions": [\n    "a", // first\n    { "use": "b" }\n  ],\n  "server": {} /* end */\n}\n',
    '{\n\t"extensions": [],\n\t"server": {}\n}\n',
    '{ "server": {} }',
    '{\n  "extensions": [\n    "a",\n  ],\n}\n'
  ]
}

describe('edits of a configuration', () => {
  for (const format of Object.keys(texts) as Edited[]) {
    for (const [i, text] of (texts[format] ?? []).entries()) {
      it(`${format} ${i + 1}: an entry is added at the end, and nothing else changes`, () => {
        const before = readers[format](text)
        const after = readers[format](add(format, text))
        expect(after.extensions?.map(useOf)).to.deep.equal([...(before.extensions ?? []).map(useOf), hours.use])
        expect({ ...after, extensions: [] }).to.deep.equal({ ...before, extensions: [] })
        expect(after.extensions?.slice(0, -1)).to.deep.equal(before.extensions ?? [])
      })

      it(`${format} ${i + 1}: every comment that was there is still there`, () => {
        const after = add(format, text)
        for (const [comment] of text.matchAll(format === 'json' ? /\/[/*] .*/g : /# .*/g)) {
          expect(after, `lost: ${comment}`).to.include(comment.trimEnd())
        }
      })

      it(`${format} ${i + 1}: what was added can be removed, and the text is as it was`, () => {
        const added = add(format, text)
        const at = (readers[format](added).extensions?.length ?? 0) - 1
        const removed = removeEntry(file(format, added), at)
        expect(removed).to.be.a('string')
        const back = readers[format](removed as string)
        const before = readers[format](text)
        expect(back.extensions ?? []).to.deep.equal(before.extensions ?? [])
        expect({ ...back, extensions: [] }).to.deep.equal({ ...before, extensions: [] })
        if (format === 'yaml' && (before.extensions ?? []).length > 0)
          expect((removed as string).trimEnd()).to.equal(text.trimEnd())
      })

      it(`${format} ${i + 1}: each entry can be removed alone`, () => {
        const before = readers[format](text)
        for (const [at] of (before.extensions ?? []).entries()) {
          const removed = removeEntry(file(format, text), at)
          expect(removed, `entry ${at}`).to.be.a('string')
          const after = readers[format](removed as string)
          expect(after.extensions ?? []).to.deep.equal((before.extensions ?? []).filter((_, j) => j !== at))
          expect({ ...after, extensions: [] }).to.deep.equal({ ...before, extensions: [] })
        }
      })
    }

    it(`${format}: options that are set are written as values, whatever characters they have`, () => {
      const word = fc.string({ maxLength: 12 }).filter((text) => text !== '__proto__')
      const scalar = fc.oneof(word, fc.integer(), fc.boolean())
      fc.assert(
        fc.property(
          fc.constantFrom(...(texts[format] ?? [])),
          fc.dictionary(
            word.filter((key) => key !== ''),
            fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
            {
              maxKeys: 3,
              noNullPrototype: true
            }
          ),
          (text, options) => {
            const after = readers[format](add(format, text, { use: 'c', options, defaults: [] }))
            const last = after.extensions?.at(-1)
            const written = typeof last === 'string' ? {} : ((last as { options?: unknown }).options ?? {})
            expect(written).to.deep.equal(options)
          }
        ),
        { numRuns: 60 }
      )
    })
  }

  it('defaults are comments where a format has them, with what the extension says of them', () => {
    const yaml = add('yaml', 'extensions:\n  - a\n')
    expect(yaml).to.equal(
      'extensions:\n  - a\n  - use: \'@rystra/hook-hours\'\n    # options:\n    #   from: 9 # First hour.\n    #   to: 17\n    #   days: ["mon","o\'clock"]\n'
    )
  })

  it('defaults are values where a format has no comments', () => {
    const json = readers.json(add('json', '{}'))
    expect(json.extensions).to.deep.equal([{ use: hours.use, options: { from: 9, to: 17, days: ['mon', "o'clock"] } }])
  })

  it('package.json: the entry goes into its field rystra', () => {
    const text = '{\n  "name": "x",\n  "rystra": { "server": {} }\n}\n'
    const added = addEntry({ path: '/x/package.json', format: 'json', text }, hours) as string
    expect(JSON.parse(added).rystra.extensions[0].use).to.equal(hours.use)
    expect(JSON.parse(added).name).to.equal('x')
  })

  it('of TOML and code: the lines to add, which say the same, defaults as comments', () => {
    const entry = { ...hours, options: { from: 8 } }
    const toml = snippetOf('toml', entry)
    expect(parseToml(toml)).to.deep.equal({ extensions: [{ use: hours.use, options: { from: 8 } }] })
    expect(toml).to.include('# to = 17\n')
    expect(snippetOf('code', entry)).to.equal(
      `{\n  use: '@rystra/hook-hours',\n  options: {\n    from: 8,\n    // to: 17,\n    // days: ['mon', "o'clock"],\n  }\n}`
    )
    expect(snippetOf('code', { use: 'a', options: {}, defaults: [] })).to.equal("'a'")
    expect(addEntry({ path: '/x/a.toml', format: 'toml', text: '' }, hours)).to.equal(undefined)
  })
})
