import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import { createServer } from '@rystra/server'
import { createPair, extensionKit, setUpExtension } from '@rystra/testkit'
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import extension from '../src/index.ts'

// What every extension must do.
extensionKit(
  { use: extension(), invalid: { 'a text for a list': { blocked: '192.0.2.1' } } },
  { runner: { describe, it } }
)

// What this one is for.
describe('my-extension', () => {
  const visit = (host: string): unknown => {
    const { taps } = setUpExtension(extension({ blocked: ['192.0.2.1'] }), 'server')
    const tap = taps.find(({ hook }) => hook === 'onOpenStream')
    return tap?.fn({ visitor: { host }, proxy: { name: 'web' } } as never)
  }

  it('refuses a visitor from a blocked address', () => {
    assert.deepEqual(visit('192.0.2.1'), { deny: '192.0.2.1 may not visit web' })
  })

  it('lets other visitors pass, between a server and a client in this process', async () => {
    const pair = await createPair({
      createServer,
      createClient,
      extensions: [muxYamux(), authToken({ token: 'a token of both ends' })],
      serverExtensions: [extension({ blocked: ['192.0.2.1'] })],
      services: { hello: (visitor) => visitor.on('error', () => undefined).end('hello') }
    })
    try {
      assert.equal(await text(pair.visit('hello').end()), 'hello')
    } finally {
      await pair.stop()
    }
  })
})
