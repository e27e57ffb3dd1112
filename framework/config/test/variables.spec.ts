import { expect } from 'chai'
import fc from 'fast-check'
import { type RystraConfig, validateBase } from '../src/index.js'
import { substitute } from '../src/variables.js'
import { problemAt, refusal } from './refusal.js'

const env = { NAME: 'world', EMPTY: '', NESTED: '${NAME}', PORT: '7100', YES: 'true' }
const put = (text: string): unknown => (substitute({ a: text }, env) as { a: string }).a

describe('a variable', () => {
  it('is replaced in text, wherever it is and however often', () => {
    expect(put('${NAME}')).to.equal('world')
    expect(put('hello ${NAME}, ${NAME}!')).to.equal('hello world, world!')
    expect(substitute([{ deep: ['${NAME}'] }], env)).to.deep.equal([{ deep: ['world'] }])
  })

  it('has no variable in its default', async () => {
    await refusal('config.invalid', () => put('${NONE:-${NAME}}'))
    expect(put('${NONE:-$5 {}'), 'a dollar and a brace apart are text').to.equal('$5 {')
  })

  it('takes time in proportion to the text', async () => {
    // A second; in proportion to its square it would be hours, and the test would not end in time.
    await refusal('config.invalid', () => put('${NAME:-'.repeat(1_000_000)))
  })

  it('that is empty is empty, unless it has a default', () => {
    expect(put('${EMPTY}')).to.equal('')
    expect(put('${EMPTY:-there}')).to.equal('there')
  })

  it('has a default for when it is unset', () => {
    expect(put('${NONE:-a b:-c}')).to.equal('a b:-c')
    expect(put('${NONE:-}')).to.equal('')
    expect(put('${NAME:-other}')).to.equal('world')
  })

  it('is written with two dollars to mean itself', () => {
    expect(put('$${NAME}')).to.equal('${NAME}')
    expect(put('a$b $$ $ {NAME} $NAME')).to.equal('a$b $$ $ {NAME} $NAME')
  })

  it('is not looked for in what another one holds', () => expect(put('${NESTED}')).to.equal('${NAME}'))

  it('is not looked for in keys', () => expect(substitute({ '${NAME}': 1 }, env)).to.deep.equal({ '${NAME}': 1 }))

  it('is not found in the prototype of the environment', async () => {
    const error = await refusal('config.missing-variable', () => put('${toString}'))
    expect(error.message).to.include('toString')
  })

  it('that is missing is reported with all others that are, and where they are needed', async () => {
    const raw = { a: '${ONE} ${TWO}', list: [{ b: '${ONE}' }, '${NAME}'] }
    const error = await refusal('config.missing-variable', () => substitute(raw, env, 'f.yaml'))
    expect(error.problems.map(({ path, expected }) => `${path} ${expected.split(' ').at(-1)}`)).to.deep.equal([
      'a ONE',
      'a TWO',
      'list[0].b ONE'
    ])
    expect(error.message).to.include('f.yaml').and.to.include('TWO, for a')
  })

  for (const text of ['${', 'a ${NAME', '${}', '${1A}', '${A-B}', '${NAME:}', '${ NAME }'])
    it(`is not ${text}`, async () => {
      const error = await refusal('config.invalid', () => put(text))
      expect(problemAt(error, 'a').expected).to.include('$${')
    })

  it('may be a number or a boolean where one is expected; text that was written may not', async () => {
    const raw: unknown = {
      log: { pretty: '${YES}' },
      server: { listen: [{ port: '${PORT}' }], publish: { ports: ['${PORT}'] }, limits: { sessions: '${MAX:-5}' } }
    }
    const config = validateBase(substitute(raw, env))
    expect(config.server?.listen[0]?.port).to.equal(7100)
    expect(config.server?.publish.ports).to.deep.equal([{ from: 7100, to: 7100 }])
    expect(config.server?.limits.sessions).to.equal(5)
    expect(config.log.pretty).to.equal(true)
    const error = await refusal('config.invalid', () => validateBase({ server: { listen: [{ port: '7100' }] } }))
    expect(problemAt(error, 'server.listen[0].port').value).to.equal('"7100"')
  })

  it('stays text where text is expected', () => {
    const config = validateBase(
      substitute({ client: { id: '${PORT}', connect: { host: 'h' } } } satisfies RystraConfig, env)
    )
    expect(config.client?.id).to.equal('7100')
  })

  it('never throws anything but an error of the configuration, and leaves other text alone', () =>
    fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom('$', '{', '}', ':', '-', 'A', '1', ' ') }), async (text) => {
        try {
          const result = put(text)
          expect(result).to.be.a('string')
          if (!text.includes('${')) expect(result).to.equal(text)
        } catch (error) {
          expect((error as { code?: string }).code).to.be.oneOf(['config.invalid', 'config.missing-variable'])
        }
      })
    ))
})
