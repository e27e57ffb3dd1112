import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { createClient, createServer, loadConfig } from 'rystra'
import transportUnix from '../src/index.js'
import { folder } from './folder.js'

const here = path.resolve(import.meta.dirname, '..')
const token = { use: '@rystra/auth-token', options: { token: 'a token of both ends' } }

describe('a tunnel over Unix domain sockets', () => {
  for (const muxer of ['yamux', 'direct']) {
    it(`carries a service, with ${muxer}`, async () => {
      const extensions = [token, transportUnix()]
      const address = path.join(folder(), 'rystra.sock')
      const service = net
        .createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
        .listen(0, '127.0.0.1')
      await once(service, 'listening')
      const server = await createServer({
        extensions,
        server: {
          listen: [{ transport: 'unix', address }],
          publish: { host: '127.0.0.1', ports: ['1024-65535'] }
        }
      })
      await server.start()
      const client = await createClient({
        extensions,
        client: {
          connect: { transport: 'unix', address, muxer },
          proxies: [{ name: 'echo', kind: 'tcp', local: (service.address() as AddressInfo).port }]
        }
      })
      try {
        await client.start()
        expect(server.sessions.map((session) => session.transport)).to.deep.equal(['unix'])
        expect([...server.runtime.listeners()].map(({ id }) => id)).to.deep.equal([`unix://${address}`])
        const [host, port] = (client.proxies[0]?.address ?? '').split(':') as [string, string]
        const visitor = net.connect({ host, port: Number(port), allowHalfOpen: true })
        const bytes = Buffer.alloc(3_000_000, 'some bytes that are told from others')
        const chunks: Buffer[] = []
        visitor.on('data', (chunk: Buffer) => chunks.push(chunk)).end(bytes)
        await once(visitor, 'end')
        expect(Buffer.concat(chunks).equals(bytes), 'the echo').to.equal(true)
      } finally {
        await client.stop({ drain: 0 })
        await server.stop({ drain: 0 })
        service.close()
      }
    })
  }

  it('is what the configuration here says', async () => {
    const { config } = await loadConfig({ cwd: here, env: { RYSTRA_TOKEN: 'a token of both ends' } })
    for (const make of [createServer, createClient]) {
      const end = await make(config, { dir: here })
      const transports = end.kernel.current.registries.transports.list()
      await end.stop()
      expect(transports).to.include('unix')
    }
  })
})
