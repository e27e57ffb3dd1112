import { expect } from 'chai'
import path from 'node:path'
import { type Client, createClient, createServer, loadConfig, type Server } from 'rystra'
import authScram from '../src/index.js'

const here = path.resolve(import.meta.dirname, '..')
const users = { laptop: 'a password of both ends', phone: 'another password' }
const ends: (Client | Server)[] = []

const serve = async (): Promise<number | undefined> => {
  const server = await createServer({
    extensions: [authScram({ users, iterations: 1000 })],
    server: { listen: [{ transport: 'tcp', host: '127.0.0.1', port: 0 }] }
  })
  ends.push(server)
  await server.start()
  return server.listening[0]?.port
}

const connect = async (port: number | undefined, name: string, password: string): Promise<string | undefined> => {
  const client = await createClient({
    extensions: [authScram({ name, password })],
    client: { connect: { transport: 'tcp', host: '127.0.0.1', port }, reconnect: { attempts: 1 } }
  })
  ends.push(client)
  await client.start()
  return client.session?.identity.id
}

const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: { code: string }) => error.code
  )

describe('sessions with names and passwords', () => {
  afterEach(() => Promise.all(ends.splice(0).map((end) => end.stop({ drain: 0 }))))

  it('are of the name whose password the client has', async () => {
    const port = await serve()
    expect(await connect(port, 'laptop', users.laptop)).to.equal('laptop')
    expect(await connect(port, 'phone', users.phone)).to.equal('phone')
  })

  it('are refused alike for a wrong password and for a name that is not known', async () => {
    const port = await serve()
    expect(await failure(connect(port, 'laptop', users.phone))).to.equal('auth.refused')
    expect(await failure(connect(port, 'tablet', users.phone))).to.equal('auth.refused')
  })

  it('are what the configuration here says', async () => {
    const { config } = await loadConfig({ cwd: here, env: { RYSTRA_PASSWORD: 'a password of both ends' } })
    for (const make of [createServer, createClient]) {
      const end = await make(config, { dir: here })
      const methods = end.kernel.current.registries.authenticators.list()
      await end.stop()
      expect(methods).to.include('scram')
    }
  })
})
