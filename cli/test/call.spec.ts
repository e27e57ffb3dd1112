import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { freePort } from '@rystra/testkit'
import { expect } from 'chai'
import { createClient, createServer } from 'rystra'
import { commands } from './fixtures/commands.js'
import { rystraHere as rystra } from './in-process.js'

const services = `import { defineService, request } from '@rystra/rpc'
import { Type } from '@rystra/plugin'

export const Disk = defineService('disk', {
  usage: request(Type.Object({ path: Type.String() }), Type.Object({ free: Type.Integer() }))
})

export default (rpc: { service: (...args: unknown[]) => void }): void => {
  rpc.service(Disk, { usage: (_session: unknown, { path }: { path: string }) => ({ free: path.length }) })
}
`

describe('call, and rpc:describe', () => {
  const { folders, start } = commands()

  it('ask a client behind the server, and print its contract', async () => {
    const token = `- { use: '@rystra/auth-token', options: { token: a-token-of-the-test } }`
    const server = folders.make({
      'rystra.config.yaml': `extensions:
  ${token}
  - { use: '@rystra/rpc', options: { relay: [{ to: home-nas }] } }
server: { listen: [{ transport: tcp, host: 127.0.0.1, port: 0 }] }
`
    })
    const { port } = await start(['serve', '--json'], server).event('listening')
    const nas = folders.make({
      'services.ts': services,
      'rystra.config.yaml': `extensions:
  ${token}
  - { use: '@rystra/rpc', options: { services: [./services.ts], access: [{ name: disk.* }] } }
client: { id: home-nas, connect: { host: 127.0.0.1, port: ${port} } }
`
    })
    await start(['connect', '--json'], nas).event('connected')
    const to = ['--to', `127.0.0.1:${port}`, '--token', 'a-token-of-the-test']
    const [answer, wrong, described] = await Promise.all([
      rystra(['call', 'home-nas', 'disk.usage', '{"path":"/home"}', ...to], { cwd: folders.make() }),
      rystra(['call', 'home-nas', 'disk.usage', '{"path":5}', '--json'], { cwd: nas }),
      rystra(['rpc', 'describe', './services.ts'], { cwd: nas })
    ])
    expect(answer.err, 'stderr').to.equal('')
    expect(JSON.parse(answer.out)).to.deep.equal({ free: 5 })
    expect(wrong.code).to.equal(2)
    expect(wrong.out + wrong.err)
      .to.include('rpc.invalid')
      .and.include('/path')
    expect((wrong.out + wrong.err).match(/the data does not fit its type/g), 'the text of the code').to.have.length(1)
    expect(described.out).to.include('| `disk.usage` | request | client |')
  })

  it('run beside the server of the same configuration, whose addresses they leave alone', async () => {
    const port = await freePort()
    const both = folders.make({
      'rystra.config.yaml': `extensions:
  - { use: '@rystra/auth-token', options: { token: a-token-of-the-test } }
  - { use: '@rystra/admin-http', options: { listen: [{ port: ${port} }] } }
  - { use: '@rystra/rpc', options: { services: [./services.ts], access: [{ name: disk.* }] } }
server: { listen: [{ transport: tcp, host: 127.0.0.1, port: 0 }] }
`,
      'services.ts': services
    })
    const server = start(['serve', '--json'], both)
    const listening = await server.event('listening')
    appendFileSync(`${both}/rystra.config.yaml`, `client: { connect: { host: 127.0.0.1, port: ${listening.port} } }\n`)
    const [answer, other] = await Promise.all([
      rystra(['call', 'server', 'disk.usage', '{"path":"/home"}'], { cwd: both }),
      rystra(['connect', '--json'], { cwd: both })
    ])
    expect(answer.err, 'stderr').to.equal('')
    expect(JSON.parse(answer.out)).to.deep.equal({ free: 5 })
    expect(other.code).to.equal(8)
    expect(JSON.parse(other.out.trim().split('\n').at(-1) ?? '')).to.include({ code: 'listen.in-use', side: 'client' })
    expect(other.out).to.include(`admin-http: tcp 127.0.0.1:${port}`).and.include('`side`')
    const config = readFileSync(`${both}/rystra.config.yaml`, 'utf8')
    writeFileSync(`${both}/rystra.config.yaml`, config.replace(`port: ${port}`, `port: ${port}, side: server`))
    await start(['connect', '--json'], both).event('connected')
  })

  it('is what a program has as client.rpc and server.rpc()', async () => {
    const extensions = [{ use: '@rystra/auth-token', options: { token: 'of both' } }, '@rystra/rpc']
    const listen = [{ host: '127.0.0.1', port: 0 }]
    const server = await createServer({ extensions, server: { listen } })
    await server.start()
    const connect = { host: '127.0.0.1', port: server.listening[0]?.port ?? 0 }
    const client = await createClient({ extensions, client: { id: 'one', connect } })
    try {
      await client.start()
      client.rpc.router.handler({ name: 'who', fn: () => 'one' })
      expect(await server.rpc('one').request('who')).to.equal('one')
      expect(() => server.rpc('two'))
        .to.throw()
        .with.property('code', 'rpc.unavailable')
    } finally {
      await client.stop()
      await server.stop()
    }
  })
})
