import { expect } from 'chai'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import * as rystra from 'rystra'
import { Folders } from './folder.js'

const { createClient, createServer, defineConfig, defineExtension, Type } = rystra

describe('the library', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  it('embeds both ends with the preset, and an extension from code, in an empty folder', async () => {
    const dir = folders.make()
    const seen: string[] = []
    const watch = defineExtension({
      name: 'watch',
      options: Type.Object({ word: Type.String({ default: 'usual' }) }),
      setup({ hooks, options, role }) {
        hooks.onCloseStream.tap(({ reason }) => seen.push(`${role} ${options.word} ${reason}`))
      }
    })
    const service = net
      .createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
      .listen(0, '127.0.0.1')
    await once(service, 'listening')
    const token = { use: '@rystra/auth-token', options: { token: 'of both' } }
    const server = await createServer(
      defineConfig({
        extensions: [token, watch()],
        server: { listen: [{ host: '127.0.0.1', port: 0 }], publish: { host: '127.0.0.1', ports: ['1024-65535'] } }
      }),
      { dir }
    )
    await server.start()
    const client = await createClient(
      defineConfig({
        extensions: [token, watch({ word: 'mine' })],
        client: {
          connect: { host: '127.0.0.1', port: server.listening[0]?.port ?? 0 },
          proxies: [{ name: 'echo', kind: 'tcp', local: `127.0.0.1:${(service.address() as AddressInfo).port}` }]
        }
      }),
      { dir }
    )
    await client.start()
    const [host, port] = (client.proxies[0]?.address ?? '').split(':')
    const visitor = net.connect({ host, port: Number(port) })
    const back = once(visitor, 'data')
    visitor.end('hello')
    expect(String((await back)[0])).to.equal('hello')
    await once(visitor, 'close')
    await client.stop()
    await server.stop()
    service.close()
    expect(seen.sort()).to.deep.equal(['client mine end', 'server usual end'])
  })

  it('lets the configuration put an extension in place of one of the preset', async () => {
    const replacement = defineExtension({ name: 'proxy-tcp', setup() {} })
    const server = await createServer(
      { extensions: [replacement], server: { listen: [{ port: 0 }] } },
      { dir: folders.make() }
    )
    const names = server.kernel.inspect().extensions.map(({ name }) => name)
    expect(names.filter((name) => name === 'proxy-tcp')).to.have.length(1)
    expect(server.kernel.current.registries.proxies.list()).to.deep.equal([])
    await server.stop()
  })

  it('exports what an extension author needs', () => {
    for (const name of [
      'defineExtension',
      'defineConfig',
      'Type',
      'GUARD',
      'RystraError',
      'isRystraError',
      'loadConfig'
    ]) {
      expect(rystra).to.have.property(name)
    }
  })
})
