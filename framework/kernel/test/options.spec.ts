import { defineExtension, type TSchema, Type } from '@rystra/plugin'
import { expect } from 'chai'
import fc from 'fast-check'
import { OptionsError, validateOptions } from '../src/index.js'
import { redact } from '@rystra/model'
import { strict } from '../src/options/strict.js'
import { failure, provisioned } from './fixtures.js'

const check = (schema: TSchema, options: unknown) => validateOptions('office-hours', schema, options)

/** What is wrong, one line each. */
const wrong = (schema: TSchema, options: unknown): string[] => {
  const validated = check(schema, options)
  if (!('problems' in validated)) throw new Error(`expected problems, got ${JSON.stringify(validated.options)}`)
  return validated.problems.map(({ path, value, expected }) => `${path} is ${value}, expected ${expected}`)
}

const hours = Type.Object({
  from: Type.Integer({ default: 9, minimum: 0, maximum: 23 }),
  to: Type.Integer({ default: 17 })
})

describe('options', () => {
  it('have their defaults filled in, nested ones too', () => {
    expect(check(hours, {})).deep.equal({ options: { from: 9, to: 17 } })
    expect(check(hours, undefined)).deep.equal({ options: { from: 9, to: 17 } })
    expect(check(hours, null)).deep.equal({ options: { from: 9, to: 17 } })
    const nested = Type.Object({ log: Type.Object({ size: Type.Integer({ default: 3 }) }, { default: {} }) })
    expect(check(nested, {})).deep.equal({ options: { log: { size: 3 } } })
  })

  it('are not changed where they came from, nor can the schema be through them', () => {
    const written = Object.freeze({ from: 1 })
    expect(check(hours, written)).deep.equal({ options: { from: 1, to: 17 } })
    const lists = Type.Object({ list: Type.Array(Type.String(), { default: ['a'] }) })
    const first = check(lists, {}) as { options: { list: string[] } }
    first.options.list.push('b')
    expect(check(lists, {})).deep.equal({ options: { list: ['a'] } })
  })

  it('say path, value and expectation of what is wrong', () => {
    expect(wrong(hours, { from: 'nine' })).deep.equal(['options.from is "nine", expected a whole number from 0 to 23'])
    expect(wrong(hours, { from: 24.5 })).deep.equal(['options.from is 24.5, expected a whole number from 0 to 23'])
    const days = Type.Object({ days: Type.Array(Type.Union([Type.Literal('mon'), Type.Literal('tue')])) })
    expect(wrong(days, { days: ['mon', 'tuesday'] })).deep.equal([
      'options.days[1] is "tuesday", expected "mon" or "tue"'
    ])
    expect(wrong(days, {})).deep.equal(['options.days is missing, expected a list, each "mon" or "tue"'])
    expect(wrong(days, [])).deep.equal(['options is a list of 0, expected an object with days'])
    expect(wrong(days, 'abc')).deep.equal(['options is a string, expected an object with days'])
  })

  it('are expected in words: a regular expression is never shown', () => {
    const code = '^[a-z]{3}$'
    const expected = (schema: TSchema): string => {
      const found = validateOptions('x', Type.Object({ code: schema }), { code: 'A' })
      return 'problems' in found ? (found.problems[0]?.expected ?? '') : ''
    }
    const title = 'three letters such as abc'
    const description = 'Three letters. Default: none.'
    expect(expected(Type.String({ pattern: code, title }))).to.equal(title)
    expect(expected(Type.String({ pattern: code, description }))).to.equal(`text: ${description}`)
    expect(expected(Type.String({ pattern: code }))).to.equal('text of another form')
    expect(expected(Type.Union([Type.Integer(), Type.String({ pattern: code, title })]))).to.equal(
      `a whole number or ${title}`
    )
    expect(expected(Type.Union([Type.Integer(), Type.String({ pattern: code })], { title }))).to.equal(title)
    expect(expected(Type.Array(Type.String({ pattern: code, title })))).to.equal(`a list, each ${title}`)
  })

  it('may not have unknown keys, though their author did not say so', () => {
    expect(wrong(hours, { form: 9 })).deep.equal([
      'options.form is not known, expected one of from, to; did you mean "from"?'
    ])
    expect(wrong(Type.Object({}), { a: 1 })).deep.equal(['options.a is not known, expected no options here'])
  })

  const inner = Type.Object({ a: Type.Optional(Type.Integer()) })
  const places: Record<string, [TSchema, unknown]> = {
    'in an object': [Type.Object({ x: inner }), { x: { b: 1 } }],
    'in a list': [Type.Object({ x: Type.Array(inner) }), { x: [{}, { b: 1 }] }],
    'in a tuple': [Type.Object({ x: Type.Tuple([inner]) }), { x: [{ b: 1 }] }],
    'in a union': [Type.Object({ x: Type.Union([Type.String(), inner]) }), { x: { b: 1 } }],
    'in a record': [Type.Object({ x: Type.Record(Type.String(), inner) }), { x: { any: { b: 1 } } }],
    'in an intersection': [Type.Intersect([inner, Type.Object({ c: Type.Integer({ default: 1 }) })]), { b: 1 }],
    'in an optional': [Type.Object({ x: Type.Optional(inner) }), { x: { b: 1 } }],
    'in itself': [
      Type.Recursive((This) => Type.Object({ x: Type.Optional(This) }), { $id: 'tree' }),
      { x: { x: { b: 1 } } }
    ]
  }
  for (const [where, [schema, options]] of Object.entries(places)) {
    it(`may not have unknown keys ${where}`, () => {
      const [problem, ...others] = wrong(schema, options)
      expect(problem).match(/b.* is not known/)
      expect(others).deep.equal([])
    })
  }

  it('may have them where the author says so, and those of all parts of an intersection', () => {
    const open = Type.Object({ a: Type.Integer() }, { additionalProperties: true })
    expect(check(open, { a: 1, b: 2 })).deep.equal({ options: { a: 1, b: 2 } })
    const typed = Type.Object({ a: Type.Integer() }, { additionalProperties: Type.Integer() })
    expect(check(typed, { a: 1, b: 2 })).deep.equal({ options: { a: 1, b: 2 } })
    expect(wrong(typed, { a: 1, b: 'x' })).length(1)
    const both = Type.Intersect([inner, Type.Object({ c: Type.Integer({ default: 1 }) })])
    expect(check(both, { a: 2 })).deep.equal({ options: { a: 2, c: 1 } })
    const choice = Type.Intersect([
      inner,
      Type.Union([Type.Object({ file: Type.String() }), Type.Object({ text: Type.String() })])
    ])
    expect(check(choice, { a: 1, file: 'x' })).deep.equal({ options: { a: 1, file: 'x' } })
    expect(check(choice, { text: 'x' })).deep.equal({ options: { text: 'x' } })
    expect(wrong(choice, { text: 'x', b: 1 })).deep.equal(['options.b is not known, expected one of a, file, text'])
    const open2 = Type.Intersect([inner, Type.Record(Type.String(), Type.Integer())])
    expect(check(open2, { z: 1 })).deep.equal({ options: { z: 1 } })
  })

  it('leave the schema of the author as it is', () => {
    const schema = Type.Object({ x: inner })
    const before = JSON.stringify(schema)
    expect(strict(schema)).not.equal(schema)
    expect(JSON.stringify(schema)).equal(before)
    expect(strict(schema)).equal(strict(schema))
  })

  it('close a shared part where it stands alone, and leave it open within an intersection', () => {
    const schema = Type.Object({ alone: inner, both: Type.Intersect([inner, Type.Object({ c: Type.Integer() })]) })
    expect(check(schema, { alone: { a: 1 }, both: { a: 1, c: 1 } })).have.property('options')
    expect(wrong(schema, { alone: { c: 1 }, both: { a: 1, c: 1 } })).length(1)
  })

  it('tell of the choice that was probably meant, when a union is not met', () => {
    const schema = Type.Object({ x: Type.Union([Type.String(), Type.Object({ port: Type.Integer() })]) })
    expect(wrong(schema, { x: { port: 'a' } })).deep.equal(['options.x.port is "a", expected a whole number'])
    expect(wrong(schema, { x: 1 })).deep.equal(['options.x is 1, expected text or an object with port'])
  })

  it('never show a secret', () => {
    const schema = Type.Object({
      token: Type.Integer(),
      tokens: Type.Array(Type.Object({ identity: Type.String() })),
      tls: Type.Object({ privateKey: Type.Boolean(), ca: Type.Boolean() })
    })
    const secret = 'hunter2hunter2'
    const lines = wrong(schema, {
      token: secret,
      tokens: [secret, { identity: 'home', tokn: secret }],
      tls: { privateKey: secret, ca: { pem: secret } },
      secrett: secret,
      oops: secret
    })
    expect(lines.join('\n')).not.include('hunter2')
    expect(lines).include('options.token is [redacted], expected a whole number')
    expect(wrong(Type.Object({ token: Type.String() }), secret).join()).not.include('hunter2')
  })

  it('cut what is long', () => {
    expect(wrong(hours, { from: 'x'.repeat(10_000) })[0]?.length).lessThan(150)
  })

  it('are refused all at once, of all extensions, before any is set up', async () => {
    let setups = 0
    const make = (name: string) => defineExtension({ name, options: hours, setup: () => void setups++ })
    const uses = [make('a')({ from: 99 }), make('b')(), make('c')({ from: 'x', to: 'y' } as never)]
    const error = await failure(provisioned(uses), 'extension.options')
    expect(error).instanceOf(OptionsError)
    expect((error as OptionsError).problems.map(({ extension, path }) => `${extension} ${path}`)).deep.equal([
      'a options.from',
      'c options.from',
      'c options.to'
    ])
    expect(error.message).include('a: options.from is 99, expected a whole number from 0 to 23')
    expect(setups).equal(0)
  })

  it('reach the extension as a copy of its own', async () => {
    let seen: { list: string[] } | undefined
    const a = defineExtension({
      name: 'a',
      options: Type.Object({ list: Type.Array(Type.String()) }),
      setup({ options }) {
        seen = options
      }
    })
    const written = { list: ['x'] }
    const { kernel } = await provisioned([a(written)])
    seen?.list.push('y')
    expect(written).deep.equal({ list: ['x'] })
    expect(kernel.inspect().extensions[0]?.options).deep.equal({ list: ['x'] })
  })

  it('pass functions and instances as they are', async () => {
    const given = { fn: () => 1, map: new Map([['a', 1]]) }
    let seen: unknown
    const a = defineExtension({
      name: 'a',
      options: Type.Object({ fn: Type.Any(), map: Type.Any() }),
      setup({ options }) {
        seen = options
      }
    })
    await provisioned([a(given)])
    expect((seen as typeof given).fn).equal(given.fn)
    expect((seen as typeof given).map).equal(given.map)
  })

  it('never throw anything else than problems, whatever is written', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const validated = check(hours, value)
        return 'problems' in validated ? validated.problems.length > 0 : true
      }),
      { numRuns: 500 }
    )
  })

  it('refuse a schema that is invalid, and an extension without a set-up', async () => {
    const plain = defineExtension({ name: 'plain', options: { from: 9 } as never, setup() {} })
    await failure(provisioned([plain()]), 'extension.not-an-extension')
    const empty = defineExtension({ name: 'empty' } as never)
    await failure(provisioned([empty()]), 'extension.not-an-extension')
    const nameless = defineExtension({ setup() {} } as never)
    await failure(provisioned([nameless()]), 'extension.not-an-extension')
    await failure(provisioned([{ extension: { definition: {} } as never, options: {} }]), 'extension.not-an-extension')
  })
})

describe('redact', () => {
  it('leaves out what stands under the name of a secret, at any depth', () => {
    const options = {
      host: 'a',
      port: 1,
      token: 't',
      nested: { PASSWORD: 'p', apiKey: 5, list: [{ clientSecret: 's', name: 'n' }] },
      tokens: [{ identity: 'home', token: 't' }],
      credentials: { on: true, text: 'x' }
    }
    expect(redact(options)).deep.equal({
      host: 'a',
      port: 1,
      token: '[redacted]',
      nested: { PASSWORD: '[redacted]', apiKey: '[redacted]', list: [{ clientSecret: '[redacted]', name: 'n' }] },
      tokens: [{ identity: '[redacted]', token: '[redacted]' }],
      credentials: { on: true, text: '[redacted]' }
    })
  })

  it('leaves out the values of secret header fields and the credentials of URLs', () => {
    const spec = {
      headers: [
        ['Authorization', 'Basic eDp5'],
        ['Accept', '*/*']
      ],
      proxy: 'http://ann:pw@proxy:1/a@b'
    }
    expect(redact(spec)).deep.equal({
      headers: [
        ['Authorization', '[redacted]'],
        ['Accept', '*/*']
      ],
      proxy: 'http://[redacted]@proxy:1/a@b'
    })
  })

  it('names what is not plain by its kind, and ends in a circle', () => {
    const circle: Record<string, unknown> = { fn: () => 1, bytes: Buffer.from('secret'), map: new Map() }
    circle.self = circle
    expect(redact(circle)).deep.include({ fn: '[function]', bytes: '[Buffer]', map: '[Map]' })
    expect(JSON.stringify(redact(circle))).include('[…]')
  })
})
