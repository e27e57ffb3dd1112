import authMtls from '@rystra/auth-mtls'
import { issueClient, issueServer, makeAuthority } from '@rystra/certificates'
import { type BoundAddress, RpcClient, RpcServer, type RpcSession } from '@rystra/rpc'
import { expect } from 'chai'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cleanUp, later, token, until } from './tunnel.js'

/** What the server of a test has seen. */
class Seen {
  readonly events: unknown[] = []
  readonly unreliable: unknown[] = []
  readonly ends: string[] = []
}

const serve = async (url: string, seen: Seen, fields: object, enter: (server: Server) => Server) => {
  const builder = RpcServer.builder()
    .bind(url, { ...fields })
    .handler('who', (_session, name, call) => `${name} is ${call.session.identity?.id}`)
    .listener('noted', (_session, data) => void seen.events.push(data))
    .streamHandler('echo', async (_session, stream) => {
      for await (const text of stream) await stream.send(text)
      stream.end()
    })
    .streamHandler('state', async (_session, stream) => {
      for await (const text of stream) seen.unreliable.push(text)
    })
    .onDisconnect((_session, error) => void seen.ends.push((error as { code?: string })?.code ?? 'clean'))
  const server = await enter(builder).build().start()
  later(() => server.stop(0))
  return server.addresses[0] as BoundAddress
}
type Server = ReturnType<typeof RpcServer.builder>

/** All that a session can do, once. */
const uses = async (session: RpcSession, seen: Seen, identity: string): Promise<void> => {
  expect(await session.request('who', 'it')).to.equal(`it is ${identity}`)
  await session.emit('noted', { at: 1 })
  await until(() => seen.events.length > 0, 'the event arrives')
  expect(seen.events).to.deep.equal([{ at: 1 }])
  const reliable = session.createStream('echo')
  await reliable.send('one')
  await reliable.send('two')
  reliable.end()
  const answers: unknown[] = []
  for await (const text of reliable) answers.push(text)
  expect(answers).to.deep.equal(['one', 'two'])
  const unreliable = session.createStream('state', { unreliable: true })
  await until(async () => {
    await unreliable.send('now')
    return seen.unreliable.length > 0
  }, 'a message of the unreliable stream arrives')
  expect(seen.unreliable[0]).to.equal('now')
  unreliable.end()
}

describe('the builders of RPC over encrypted transports', () => {
  afterEach(cleanUp)

  for (const transport of ['tls', 'http2', 'wss', 'quic'])
    it(`do all of it over ${transport}, pinned by the fingerprint of the server`, async () => {
      const seen = new Seen()
      const enter = (server: Server): Server => server.tokens([{ identity: 'alice', token }])
      const { port, join: dial = {} } = await serve(`${transport}://127.0.0.1:0`, seen, {}, enter)
      const url = `${transport}://127.0.0.1:${port}`
      const reconnect = { attempts: 1 }
      const pinned = { ...dial, fingerprint: `${'00:'.repeat(31)}00` }
      const wrong = await RpcClient.connect(url, { id: 'one', token, dial: pinned, reconnect }).catch((error) => error)
      expect(String(wrong?.code), 'another certificate than that of the pin').to.match(/^tls\./)
      const client = await RpcClient.connect(url, { id: 'one', token, dial })
      later(() => client.close())
      await uses(client.session, seen, 'alice')
      await client.close()
      await until(() => seen.ends.length > 0, 'the server is told')
      expect(seen.ends).to.deep.equal(['clean'])
    })

  it('have the identity of a client certificate in a call', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'rystra-rpc-'))
    later(() => rm(dir, { recursive: true }))
    const file = async (name: string, text: string): Promise<string> => {
      await writeFile(join(dir, name), text)
      return join(dir, name)
    }
    const authority = await makeAuthority({ keyType: 'ec', commonName: 'house' })
    const [of, anna] = [
      await issueServer(authority, { keyType: 'ec', commonName: 'localhost', names: ['localhost', '127.0.0.1'] }),
      await issueClient(authority, { keyType: 'ec', commonName: 'laptop', names: ['email:anna@example.org'] })
    ]
    const ca = await file('ca.pem', authority.cert)
    const fields = { cert: await file('s.pem', of.cert), key: await file('s.key', of.key), clientCa: ca }
    const seen = new Seen()
    const rules = [{ san: 'email:*@example.org', id: '{san.email}' }]
    const { port } = await serve('tls://127.0.0.1:0', seen, fields, (server) =>
      server.extension(authMtls({ ca: [ca], rules }))
    )
    const client = await RpcClient.builder()
      .extension(authMtls())
      .to(`tls://127.0.0.1:${port}`, {
        id: 'one',
        dial: { ca, cert: await file('c.pem', anna.cert), key: await file('c.key', anna.key) }
      })
      .connect()
    later(() => client.close())
    await uses(client.session, seen, 'anna@example.org')
  })
})
