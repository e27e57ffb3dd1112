import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import { createServer } from '@rystra/server'
import { createPair, extensionKit, transportKit } from '@rystra/testkit'
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import extension from '../src/index.ts'

// What every transport must do.
transportKit({ transport: extension() }, { runner: { describe, it } })

// What every extension must do.
extensionKit({ use: extension(), invalid: { 'no backlog': { backlog: 0 } } }, { runner: { describe, it } })

describe('my-extension', () => {
  it('carries a session', async () => {
    const pair = await createPair({
      createServer,
      createClient,
      transport: 'my-word',
      extensions: [extension(), muxYamux(), authToken({ token: 'a token of both ends' })],
      services: { hello: (visitor) => visitor.on('error', () => undefined).end('hello') }
    })
    try {
      assert.equal(await text(pair.visit('hello').end()), 'hello')
    } finally {
      await pair.stop()
    }
  })
})
