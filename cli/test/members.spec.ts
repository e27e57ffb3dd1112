import { expect } from 'chai'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { decodeJoin } from '../src/join/join-string.js'
import { Running, rystra } from './command.js'
import { rystraHere } from './in-process.js'
import { commands } from './fixtures/commands.js'

const config = {
  extensions: [{ use: '@rystra/auth-token', options: { token: 'a-token-of-the-test' } }],
  server: { listen: [{ host: '127.0.0.1', port: 0 }], publish: { host: '127.0.0.1' } }
}

describe('rystra serve --members', () => {
  const { folders, track } = commands()
  it('needs a number that makes sense, and more than one client', async () => {
    const one = await rystraHere(['serve', '--members', '1'], { cwd: folders.make() })
    expect(one.code).to.equal(2)
    const once = await rystraHere(['serve', '--members', '2', '--once'], { cwd: folders.make() })
    expect(once.code).to.equal(2)
    expect(once.err).to.contain('--once is for a single process')
  })

  it('without a configuration has one join string for all, and passes on the streams of each', async function () {
    this.timeout(120_000)
    const cwd = folders.make()
    const env = { RYSTRA_STATE: join(cwd, 'state') }
    const where = ['--host', '127.0.0.1', '--port', '0', '--http-port', '0']
    const server = new Running(['serve', '--members', '2', ...where, '--json'], { cwd, env })
    track(server)
    const word = String((await server.event('join'))['join'])
    const ports = server.events.filter(({ event }) => event === 'listening').map(({ port }) => Number(port))
    const { host, port, more } = decodeJoin(word)
    expect([`${host}:${port}`, ...more]).to.deep.equal(ports.map((one) => `127.0.0.1:${one}`))
    await server.event('web', () => server.events.filter(({ event }) => event === 'web').length === 2)
    const service = net.createServer((socket) => void socket.on('error', () => {}).end('hello')).listen(0, '127.0.0.1')
    await once(service, 'listening')
    const local = String((service.address() as net.AddressInfo).port)
    const client = new Running(['expose', 'tcp', local, '--join', word, '--json'], { cwd: folders.make() })
    track(client)
    const address = String((await client.event('published'))['address'])
    const logs = new Running(['logs', '--streams', '--json'], { cwd, env })
    track(logs)
    let answer = ''
    const opened = logs.line(/stream\.opened/)
    const visits = (async () => {
      // The log follows from some moment on that it does not tell.
      for (let done = false; !done; ) {
        for await (const chunk of net.connect(Number(address.split(':').at(-1)), '127.0.0.1')) answer += String(chunk)
        done = await Promise.race([
          opened.then(() => true),
          new Promise<false>((resolve) => setTimeout(resolve, 50, false))
        ])
      }
    })()
    const { member } = JSON.parse(await opened) as { member?: string }
    await visits
    service.close()
    expect(answer).to.match(/^(hello)+$/)
    expect(member).to.match(/^[12]$/)
    const { code, err } = await server.signal('SIGTERM')
    expect(code, err).to.equal(0)
  })

  it('runs, reloads and stops all of them as one', async function () {
    this.timeout(120_000)
    const cwd = folders.make()
    writeFileSync(join(cwd, 'rystra.config.json'), JSON.stringify(config))
    const server = new Running(['serve', '--members', '2', '--json'], { cwd })
    track(server)
    await server.event('members')
    const listening = server.events.filter(({ event }) => event === 'listening')
    expect(listening.map(({ member }) => member)).to.deep.equal(['1', '2'])
    const status = await rystra(['status', '--json'], { cwd })
    const before = JSON.parse(status.out) as { listeners: { id: string }[] }
    expect(before.listeners).to.have.length(2)
    server.child.kill('SIGHUP')
    await server.event('reloaded')
    const upgrade = await rystra(['upgrade', '--json'], { cwd })
    expect(upgrade.code, upgrade.err).to.equal(0)
    const { pid, members } = JSON.parse(upgrade.out) as { pid: number; members: { member: string; pid: number }[] }
    expect([pid, members.map(({ member }) => member)]).to.deep.equal([server.child.pid, ['1', '2']])
    const after = JSON.parse((await rystra(['status', '--json'], { cwd })).out) as typeof before
    const ports = ({ listeners }: typeof before): string[] => listeners.map(({ id }) => id)
    expect(ports(after), 'each has the socket of the one before').to.deep.equal(ports(before))
    const { code } = await server.signal('SIGTERM')
    expect(code).to.equal(0)
    expect(server.events.filter(({ event }) => event === 'reloaded')).to.have.length(1)
    expect(server.events.filter(({ event, member }) => event === 'stopped' && member !== undefined)).to.have.length(4)
  })
})
