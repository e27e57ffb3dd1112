/** What an author writes beside the made files: state that outlasts a reload, and an option that is secret. */
export const walkTest = `import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import { defineExtension, type ExtensionInfo, Type } from '@rystra/plugin'
import { createServer } from '@rystra/server'
import { createPair } from '@rystra/testkit'
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { it } from 'node:test'

const handed: unknown[] = []
let shown: () => Iterable<ExtensionInfo> = () => []

const counter = defineExtension({
  name: 'counter',
  options: Type.Object({
    step: Type.Integer({ default: 1, description: 'How far each visitor counts. Default: 1.' }),
    key: Type.String({ default: '', secret: true, description: 'A password. Default: none.' })
  }),
  setup({ hooks, options, previous, runtime }) {
    handed.push(previous)
    let count = (previous as { count: number } | undefined)?.count ?? 0
    shown = () => runtime.extensions()
    hooks.onOpenStream.tap(() => {
      count += options.step
    })
    return { handover: () => ({ count }) }
  }
})

it('a reload hands the state over, and shows no secret', async () => {
  const pair = await createPair({
    createServer,
    createClient,
    extensions: [muxYamux(), authToken({ token: 'a token of both ends' })],
    serverExtensions: [counter({ key: 'open sesame' })],
    services: { hello: (visitor) => visitor.on('error', () => undefined).end('hello') }
  })
  try {
    assert.equal(await text(pair.visit('hello').end()), 'hello')
    await pair.reload({ serverExtensions: [counter({ step: 10, key: 'open sesame' })] })
    assert.equal(await text(pair.visit('hello').end()), 'hello')
    await pair.reload({ serverExtensions: [counter({ step: 100, key: 'open sesame' })] })
    assert.deepEqual(handed, [undefined, { count: 1 }, { count: 11 }])
    assert.equal([...shown()].some(({ name }) => name === 'counter'), true)
    assert.equal(JSON.stringify([...shown()]).includes('sesame'), false)
  } finally {
    await pair.stop()
  }
})
`

/** Does not compile unless the misspelt option is a mistake. */
export const typoConfig = `import { defineConfig } from 'rystra'

export const right = defineConfig({ extensions: [{ use: '@rystra/auth-token', options: { token: 'a token' } }] })
const options = { token: 'a token', tokn: 'a mistake' }
// @ts-expect-error a misspelt option
export const wrong = defineConfig({ extensions: [{ use: '@rystra/auth-token', options }] })
`
