import { createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import { createServer } from '@rystra/server'
import { authenticatorKit, createPair, extensionKit } from '@rystra/testkit'
import assert from 'node:assert/strict'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import extension from '../src/index.ts'

const use = extension({ secret: 'a secret of both ends' })

// What every method of authentication must do.
authenticatorKit(
  { server: use, client: use, unauthorized: extension({ secret: 'a secret of one end' }), identity: 'default' },
  { runner: { describe, it } }
)

// What every extension must do.
extensionKit({ use, invalid: { 'a short secret': { secret: 'short' } } }, { runner: { describe, it } })

describe('my-extension', () => {
  it('authenticates a client to a server in this process', async () => {
    const pair = await createPair({
      createServer,
      createClient,
      extensions: [muxYamux(), use],
      services: { hello: (visitor) => visitor.on('error', () => undefined).end('hello') }
    })
    try {
      assert.equal(await text(pair.visit('hello').end()), 'hello')
    } finally {
      await pair.stop()
    }
  })
})
