import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import { createServer } from '@rystra/server'
import { createPair, extensionKit, muxerKit } from '@rystra/testkit'
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import extension from '../src/index.ts'

// What every muxer must do.
muxerKit({ muxer: extension() }, { runner: { describe, it } })

// What every extension must do.
extensionKit({ use: extension() }, { runner: { describe, it } })

describe('my-extension', () => {
  it('carries the streams of a session', async () => {
    const pair = await createPair({
      createServer,
      createClient,
      connect: { muxer: 'my-word' },
      extensions: [extension(), authToken({ token: 'a token of both ends' })],
      services: { hello: (visitor) => visitor.on('error', () => undefined).end('hello') }
    })
    try {
      assert.equal(await text(pair.visit('hello').end()), 'hello')
    } finally {
      await pair.stop()
    }
  })
})
