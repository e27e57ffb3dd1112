import { defineExtension, type Logger, Type } from '@rystra/plugin'
import { expect } from 'chai'
import { failure, provisioned } from './fixtures.js'

const phrase = 'correct horse battery'

/** An extension whose secret has a name that does not sound like one. */
const guard = (logged: (log: Logger) => void = () => {}) =>
  defineExtension({
    name: 'guard',
    options: Type.Object({
      phrase: Type.String({ default: '', maxLength: 40, secret: true, description: 'What visitors say' }),
      keyFile: Type.String({ default: '', secret: false, description: 'A path' })
    }),
    setup: ({ log }) => logged(log)
  })

describe('options that are marked as secret', () => {
  it('are left out of an inspection', async () => {
    const { kernel } = await provisioned([guard()({ phrase, keyFile: '/etc/key' })])
    expect(kernel.inspect().extensions[0]?.options).deep.equal({ phrase: '[redacted]', keyFile: '/etc/key' })
    await kernel.stop()
  })

  it('are left out of what is wrong with them', async () => {
    const error = await failure(provisioned([guard()({ phrase: phrase.repeat(3) })]), 'extension.options')
    expect(error.message).contain('options.phrase is [redacted]')
    expect(error.message).not.contain(phrase)
  })

  it('are left out of all that the extension logs', async () => {
    const use = guard((log) => {
      log.info(`the phrase is ${phrase}`)
      log.warn({ err: new Error(`wrong: ${phrase}`), fields: [{ given: phrase }], count: 1 }, `not ${phrase}`)
      log.child({ phrase }).debug('nothing')
      // As an argument: `stream.on('error', log.warn)`.
      for (const { trace, debug, info, warn, error, child } of [log])
        for (const method of [trace, debug, info, warn, error, child({}).info]) method(`by itself: ${phrase}`)
    })
    const { kernel, log } = await provisioned([use({ phrase })])
    expect(log.lines).lengthOf(9)
    const [said, warned, child, ...detached] = log.lines
    expect(said?.message).equal('the phrase is [redacted]')
    expect(warned?.message).equal('not [redacted]')
    const { err, fields, count } = (warned?.fields ?? {}) as { err: Error; fields: unknown; count: number }
    expect(err).instanceOf(Error)
    expect(`${err.message} ${err.stack}`).contain('[redacted]').and.not.contain(phrase)
    expect([fields, count]).deep.equal([[{ given: '[redacted]' }], 1])
    expect(child?.fields['phrase']).equal('[redacted]')
    for (const { message } of detached) expect(message).equal('by itself: [redacted]')
    await kernel.stop()
  })
})
