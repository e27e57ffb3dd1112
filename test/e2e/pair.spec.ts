import { expect } from 'chai'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import authToken from '@rystra/auth-token'
import { createClient } from '@rystra/client'
import { defineExtension, Type } from '@rystra/plugin'
import muxYamux from '@rystra/mux-yamux'
import { createServer } from '@rystra/server'
import { createPair, type PairConfig } from '@rystra/testkit'

const token = 'a token that is long enough'
type Config = PairConfig<Awaited<ReturnType<typeof createServer>>, Awaited<ReturnType<typeof createClient>>>

const config: Config = {
  createServer,
  createClient,
  extensions: [muxYamux()],
  serverExtensions: [authToken({ tokens: [{ identity: 'home', token }] })],
  clientExtensions: [authToken({ token })]
}

const readAll = async (stream: Duplex): Promise<Buffer> => {
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  return Buffer.concat(chunks)
}

describe('a server and a client in one process', () => {
  it('join visitors to services without a port', async () => {
    const services = {
      echo: (stream: Duplex) => void stream.pipe(stream),
      hello: (stream: Duplex) => void stream.end('hello')
    }
    const pair = await createPair({ ...config, services })
    try {
      expect(pair.client.proxies.map(({ spec }) => spec.name)).to.deep.equal(['echo', 'hello'])
      expect(pair.server.sessions.map(({ identity }) => identity.id)).to.deep.equal(['home'])
      expect(String(await readAll(pair.visit('hello').end()))).to.equal('hello')
      const bytes = Buffer.alloc(3_000_000, 'some bytes that are told from others')
      const visitor = pair.visit('echo')
      const answer = readAll(visitor)
      visitor.end(bytes)
      expect((await answer).equals(bytes), 'the echo').to.equal(true)
      expect(() => pair.visit('nothing')).to.throw(/a published proxy "nothing"/)
    } finally {
      await pair.stop()
    }
    expect(() => pair.visit('echo')).to.throw(/a published proxy/)
  })

  it('take another configuration while they run: what an extension has counted survives it', async () => {
    const seen: string[] = []
    const counter = defineExtension({
      name: 'counter',
      options: Type.Object({ mark: Type.String({ default: 'a', description: 'A mark' }) }),
      setup({ hooks, options: { mark }, previous }) {
        const counts = previous instanceof Map ? previous : new Map([['streams', 0]])
        hooks.onOpenStream.tap(() => {
          counts.set('streams', counts.get('streams') + 1)
          seen.push(`${mark}${counts.get('streams')}`)
        })
        return { handover: () => counts }
      }
    })
    const auth = authToken({ tokens: [{ identity: 'home', token }] })
    const services = { hello: (stream: Duplex) => void stream.end('hello') }
    const pair = await createPair({ ...config, services, serverExtensions: [auth, counter({ mark: 'a' })] })
    try {
      expect(String(await readAll(pair.visit('hello').end()))).to.equal('hello')
      await pair.reload({ serverExtensions: [auth, counter({ mark: 'b' })] })
      expect(String(await readAll(pair.visit('hello').end()))).to.equal('hello')
      expect(seen).to.deep.equal(['a1', 'b2'])
      const error = await pair.reload({ server: { limits: { sessions: 'many' } } }).catch((thrown: Error) => thrown)
      expect(error).to.have.property('code', 'config.invalid')
      expect(String(await readAll(pair.visit('hello').end()))).to.equal('hello')
      expect(seen).to.deep.equal(['a1', 'b2', 'b3'])
    } finally {
      await pair.stop()
    }
  })

  it('leave nothing running when the client is refused', async () => {
    const clientExtensions = [authToken({ token: 'a token that is not known' })]
    const error = await createPair({ ...config, clientExtensions }).then(
      () => undefined,
      (thrown: Error) => thrown
    )
    expect(error).to.have.property('code', 'auth.refused')
  })
})
