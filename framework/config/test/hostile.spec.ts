import { expect } from 'chai'
import fc from 'fast-check'
import { loadConfig, validateBase, validateWith } from '../src/index.js'
import { folderWith, removeFolders } from './folder.js'
import { registered } from './registered.js'
import { problemAt, refusal } from './refusal.js'

const isClean = (): void => {
  expect(({} as { polluted?: unknown }).polluted, 'Object.prototype is polluted').to.equal(undefined)
  expect(Object.keys(Object.prototype)).to.deep.equal([])
}

describe('a hostile configuration', () => {
  after(removeFolders)
  afterEach(isClean)

  const pollution: [file: string, text: string, path: string][] = [
    ['rystra.config.yaml', 'log:\n  __proto__: { polluted: 1 }\n', 'log.__proto__'],
    [
      'rystra.config.yaml',
      'extensions: [{ use: x, options: { a: { __proto__: { polluted: 1 } } } }]\n',
      'extensions[0].options.a.__proto__'
    ],
    [
      'rystra.config.yaml',
      'client: { connect: { host: h, constructor: { prototype: { polluted: 1 } } } }\n',
      'client.connect.constructor'
    ],
    ['rystra.config.json', '{ "__proto__": { "polluted": 1 } }', '__proto__'],
    [
      'rystra.config.json',
      '{ "extensions": [{ "use": "x", "options": { "constructor": { "prototype": { "polluted": 1 } } } }] }',
      'extensions[0].options.constructor'
    ],
    ['package.json', '{ "rystra": { "log": { "__proto__": { "polluted": 1 } } } }', 'log.__proto__'],
    ['rystra.config.toml', '[__proto__]\npolluted = 1\n', '__proto__'],
    ['rystra.config.toml', '[log]\nconstructor.prototype.polluted = 1\n', 'log.constructor'],
    ['rystra.config.ts', 'export default { log: JSON.parse(\'{ "__proto__": { "polluted": 1 } }\') }', 'log.__proto__'],
    ['rystra.config.js', 'export default { server: { ["prototype"]: { polluted: 1 } } }', 'server.prototype']
  ]
  for (const [name, text, path] of pollution)
    it(`cannot reach a prototype: ${name} ${JSON.stringify(text)}`, async () => {
      const dir = await folderWith({ [name]: text })
      expect(problemAt(await refusal('config.invalid', () => loadConfig({ cwd: dir })), path).value).to.equal(
        'a reserved key'
      )
    })

  it('cannot inherit values', async () => {
    const dir = await folderWith({ 'rystra.config.ts': "export default { log: { __proto__: { level: 'silent' } } }" })
    problemAt(await refusal('config.invalid', () => loadConfig({ cwd: dir })), 'log')
    const bare = Object.assign(Object.create(null), { level: 'silent' })
    problemAt(await refusal('config.invalid', () => validateBase({ log: Object.create(bare) })), 'log')
    const nothing = Object.assign(Object.create(null), { log: Object.create(null) })
    expect(validateBase(nothing).log.level, 'objects without a prototype are fine').to.equal('info')
  })

  it('cannot unfold a few lines of YAML into gigabytes', async () => {
    const lines = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 12; i++) {
      const [name, before] = [String.fromCharCode(97 + i), String.fromCharCode(96 + i)]
      lines.push(`${name}: &${name} [${Array(10).fill(`*${before}`).join(', ')}]`)
    }
    const dir = await folderWith({ 'rystra.config.yaml': lines.join('\n') })
    const error = await refusal('config.syntax', () => loadConfig({ cwd: dir }))
    expect(error.message).to.match(/alias/i)
  })

  it('cannot keep the reader busy with keys or aliases', async () => {
    const keys = Array.from({ length: 40_000 }, (_, i) => `k${i}: 1`).join('\n')
    const aliases = Array.from({ length: 30_000 }, (_, i) => `- &a${i} x\n- *a${i}`).join('\n')
    const begin = process.cpuUsage()
    for (const [text, code] of [
      [keys, 'config.invalid'],
      [aliases, 'config.syntax']
    ] as const)
      await refusal(code, async () => loadConfig({ cwd: await folderWith({ '.rystrarc': text }) }))
    expect(process.cpuUsage(begin).user / 1000, 'milliseconds of the processor').to.be.lessThan(8000)
  })

  it('cannot do the same in code, or with lists alone', async () => {
    let bomb: unknown = ['x']
    for (let i = 0; i < 40; i++) bomb = [bomb, bomb]
    const error = await refusal('config.invalid', () => validateBase({ extensions: [{ use: 'x', options: { bomb } }] }))
    expect(error.problems[0]?.value).to.include('more than 200000 values')
  })

  for (const [name, open, close] of [
    ['rystra.config.json', '[', ']'],
    ['rystra.config.yaml', '[', ']'],
    ['rystra.config.yaml', '{a: ', '}'],
    ['rystra.config.toml', '[', ']']
  ] as const)
    it(`cannot exhaust the stack: ${name} ${open}`, async () => {
      const deep = `${open.repeat(20_000)}${close.repeat(20_000)}`
      const dir = await folderWith({ [name]: name.endsWith('toml') ? `a = ${deep}` : deep })
      await refusal('config.syntax', () => loadConfig({ cwd: dir }))
    })

  it('cannot be deeper than the validation goes, nor endless', async () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = { a: deep }
    const error = await refusal('config.invalid', () => validateBase({ extensions: [{ use: 'x', options: deep }] }))
    expect(error.problems[0]?.expected).to.equal('at most 64 levels')
    const endless: { server?: unknown } = {}
    endless.server = endless
    await refusal('config.invalid', () => validateBase(endless))
  })

  it('cannot throw through getters and proxies', async () => {
    const thrower = {
      get log(): never {
        throw new Error('mine')
      }
    }
    await refusal('config.invalid', () => validateBase(thrower))
    const trap = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new TypeError('mine')
        }
      }
    )
    await refusal('config.invalid', () => validateBase({ server: trap }))
    await refusal('config.invalid', () =>
      validateBase(
        new Proxy(
          {},
          {
            getPrototypeOf: () => {
              throw new TypeError('mine')
            }
          }
        )
      )
    )
  })

  it('cannot hang the guess at a misspelt key', async () => {
    const error = await refusal('config.invalid', () => validateBase({ ['x'.repeat(500_000)]: 1 }))
    expect(error.message.length).to.be.lessThan(2000)
  })

  it('of thousands of mistakes gives all of them, and a message that can be read', async () => {
    const error = await refusal('config.invalid', () =>
      validateBase(Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, 1])))
    )
    expect(error.problems).to.have.length(5000)
    expect(error.message).to.include('and 4950 more')
  })

  const scalar = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.func(fc.anything())
  )
  const word = fc.oneof(
    fc.constantFrom('tcp', 'a', '5s', '20000-29999', 'forever', 'v1', 'x', '', 'info', '0.0.0.0'),
    fc.integer({ min: 0, max: 70_000 })
  )
  const keys = [
    'extensions',
    'log',
    'server',
    'client',
    'listen',
    'publish',
    'ports',
    'host',
    'port',
    'transport',
    'heartbeat',
    'interval',
    'limits',
    'sessions',
    'id',
    'connect',
    'proxies',
    'name',
    'kind',
    'expiresIn',
    'reconnect',
    'attempts',
    'drain',
    'level',
    'use',
    'options',
    '__proto__',
    'constructor',
    'toString'
  ]
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.oneof(word, scalar),
      fc.array(tie('tree'), { maxLength: 4 }),
      fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), tie('tree'), { maxKeys: 8 })
    )
  }))
  const withFields = fc.record(
    {
      extensions: fc.oneof(tree, fc.array(tree)),
      log: fc.oneof(tree, fc.record({ level: tree, pretty: tree }, { requiredKeys: [] })),
      server: fc.oneof(
        tree,
        fc.record(
          {
            listen: fc.array(fc.record({ transport: word, port: word, key: tree }, { requiredKeys: [] })),
            drain: word,
            publish: fc.record({ ports: fc.array(word) })
          },
          { requiredKeys: [] }
        )
      ),
      client: fc.oneof(
        tree,
        fc.record(
          {
            connect: fc.record({ host: word, transport: word }),
            proxies: fc.array(fc.record({ name: word, kind: fc.constant('tcp'), local: tree, port: tree }))
          },
          { requiredKeys: [] }
        )
      )
    },
    { requiredKeys: [] }
  )

  it('of any kind gives a configuration that stays valid, or an error of the configuration', () =>
    fc.assert(
      fc.property(
        fc.oneof(
          tree,
          fc.anything({
            withBigInt: true,
            withDate: true,
            withMap: true,
            withNullPrototype: true,
            withObjectString: true
          }),
          withFields
        ),
        (raw) => {
          try {
            const config = validateBase(raw)
            expect(validateBase(config)).to.deep.equal(config)
            validateWith(config, registered(), 'server')
            validateWith(config, registered(), 'client')
          } catch (error) {
            const { code, problems } = error as { code?: string; problems?: unknown[] }
            if (code !== 'config.invalid') throw error
            expect(problems).to.have.length.greaterThan(0)
          }
          isClean()
        }
      ),
      { numRuns: 400 }
    ))

  it('text in any format gives a configuration, or an error of the configuration', async () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      "'",
      '\n',
      ' ',
      '=',
      '&a',
      '*a',
      '!!x',
      '- ',
      '|',
      '#',
      '//',
      '${',
      'log',
      'level',
      'info',
      '\t',
      '\\',
      '\0',
      '<<',
      '? ',
      '\uFEFF',
      '1',
      '[[',
      '%YAML'
    )
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('.yaml', '.json', '.toml'),
        fc.array(piece, { maxLength: 20 }),
        async (end, pieces) => {
          const dir = await folderWith({ [`rystra.config${end}`]: pieces.join('') })
          try {
            await loadConfig({ cwd: dir, env: {} })
          } catch (error) {
            expect((error as { code?: string }).code, String(error)).to.be.oneOf([
              'config.syntax',
              'config.invalid',
              'config.missing-variable'
            ])
          }
        }
      ),
      { numRuns: 100 }
    )
  })
})
