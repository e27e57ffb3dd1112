import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import { silentLog } from '@rystra/model'
import muxYamux from '@rystra/mux-yamux'
import type { Logger } from '@rystra/plugin'
import { createServer } from '@rystra/server'
import { createPair } from '@rystra/testkit'
import { expect } from 'chai'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pages } from './markdown.js'
import { root } from './workspaces.js'

const page = pages().find(({ file }) => file === 'docs/guide/write-an-extension.md')
/** What the guide shows that is a module by itself. */
const extensions = (page?.blocks ?? []).filter(
  ({ language, text }) => language === 'ts' && text.includes('export default')
)

describe('the guide to extensions', () => {
  const cache = path.join(root, 'node_modules/.cache/rystra')
  let dir = ''
  const base = [muxYamux(), authToken({ token: 'a token of both ends' })]

  before(() => {
    mkdirSync(cache, { recursive: true })
    dir = mkdtempSync(path.join(cache, 'extension-guide-'))
  })
  after(() => rmSync(dir, { recursive: true, force: true }))

  // biome-ignore lint/suspicious/noExplicitAny: an extension with options of its own
  const load = async (text: string): Promise<any> => {
    const file = path.join(dir, `extension-${extensions.findIndex((block) => block.text === text)}.mts`)
    writeFileSync(file, text)
    return (await import(file)).default
  }

  it('has extensions that a tunnel starts with, at either end', async () => {
    expect(extensions.length).to.be.greaterThan(7)
    for (const { text } of extensions) {
      const extension = await load(text)
      const pair = await createPair({
        createServer,
        createClient,
        extensions: base,
        serverExtensions: [extension()],
        clientExtensions: [extension()]
      })
      await pair.stop()
    }
  })

  it('has a channel by which a server tells its clients something', async () => {
    const block = extensions.find(({ text }) => text.includes("name: 'notice'"))
    const extension = await load(block?.text ?? '')
    let logged: (line: object) => void = () => {}
    const line = new Promise<object>((resolve) => {
      logged = resolve
    })
    const log: Logger = {
      ...silentLog,
      child: () => log,
      info: (fields: object | string, message?: string) => {
        if (message === 'a notice of the server' && typeof fields === 'object') logged(fields)
      }
    }
    const pair = await createPair({
      createServer,
      createClient,
      extensions: base,
      serverExtensions: [extension({ notice: 'back at noon' })],
      clientExtensions: [extension()],
      log
    })
    expect(await line).to.include({ notice: 'back at noon', kind: 'welcome' })
    await pair.stop()
  })
})
