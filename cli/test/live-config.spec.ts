import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { write } from './folder.js'
import { freePort } from '@rystra/testkit'
import { config, exchange, tunnels } from './fixtures/tunnels.js'

describe('serve, connect and expose', () => {
  const { echo, folders, serve, start } = tunnels()

  it('with a configuration: serve and connect of one project work together, TypeScript hooks and all', async () => {
    const service = await echo()
    const port = await freePort()
    const dir = folders.make({ '.env': 'TOKEN=from-the-env-file\n' })
    write(dir, {
      'rystra.config.yaml': config(
        port,
        `client:\n  id: home\n  connect: { transport: tcp, host: 127.0.0.1, port: ${port} }\n  proxies:\n    - { name: echo, kind: tcp, local: '127.0.0.1:${service}' }\n`
      ).replace('server:', '  - use: ./hooks/shout.ts\n    options: { loud: true }\nserver:'),
      'hooks/shout.ts': `import { defineExtension, Type } from '@rystra/plugin'
interface Nothing { never?: string }
export default defineExtension({
  name: 'shout',
  options: Type.Object({ loud: Type.Boolean({ default: false }) }),
  setup({ hooks, options, role }: { hooks: any; options: { loud: boolean } & Nothing; role: string }) {
    if (role === 'server' && options.loud) hooks.onData.tap((chunk: Buffer) => Buffer.from(chunk.toString().toUpperCase()))
  }
})`
    })
    const server = start(['serve', '--json'], dir)
    await server.event('listening', (event) => event['port'] === port)
    const client = start(['connect', '--json'], dir)
    const published = await client.event('published')
    expect(published).to.include({ name: 'echo', local: `127.0.0.1:${service}` })
    expect(String(await exchange(String(published['address']), Buffer.from('quiet')))).to.equal('QUIET')
    expect((await client.signal('SIGINT')).code).to.equal(0)
    const { code, out, err } = await server.signal('SIGINT')
    expect(code).to.equal(0)
    expect(out).not.to.include('"join"')
    expect(err).not.to.include('from-the-env-file')
    for (const line of err.trim().split('\n'))
      expect(JSON.parse(line), 'the log is JSON where there is no terminal').to.have.property('level')
  })

  it('a connect that was killed under a visitor and is started again serves the same address, without an error', async () => {
    const { server, port } = await serve('--token', 'a-token-of-the-test')
    const service = await echo()
    const publicPort = await freePort()
    const dir = folders.make({
      'rystra.config.yaml': config(
        1,
        `client:\n  id: home\n  connect: { host: 127.0.0.1, port: ${port} }\n  proxies:\n    - { name: echo, kind: tcp, local: '127.0.0.1:${service}', port: ${publicPort} }\n`
      )
    })
    const address = `127.0.0.1:${publicPort}`
    const first = start(['connect', '--json'], dir)
    expect(await first.event('published')).to.include({ name: 'echo', address })
    const visitor = net.connect({ host: '127.0.0.1', port: publicPort })
    visitor.on('error', () => {})
    const gone = new Promise((resolve) => visitor.once('close', resolve))
    visitor.write('hello')
    expect(String((await once(visitor, 'data'))[0])).to.equal('hello')

    first.child.kill('SIGKILL')
    const second = start(['connect', '--json'], dir)
    expect(await second.event('published')).to.include({ name: 'echo', address })
    // Its stream had an end at the killed one, and no other client may take it over.
    await gone
    const bytes = randomBytes(300_000)
    expect((await exchange(address, bytes)).equals(bytes)).to.equal(true)

    expect((await second.signal('SIGINT')).code).to.equal(0)
    for (const { events } of [second, server])
      expect(events.filter(({ event }) => /^(error|refused|rejected|reconnecting)$/.test(event))).to.deep.equal([])
    expect(second.events.filter(({ event }) => event === 'published')).to.have.length(1)
  })
})
