import { expect } from 'chai'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Running, rystra } from './command.js'
import { commands } from './fixtures/commands.js'

const config = {
  extensions: [{ use: '@rystra/auth-token', options: { token: 'a-token-of-the-test' } }],
  server: { listen: [{ host: '127.0.0.1', port: 0 }], publish: { host: '127.0.0.1' } }
}

describe('rystra serve --members', () => {
  const { folders, track } = commands()
  it('needs a configuration, and a number that makes sense', async () => {
    const none = await rystra(['serve', '--members', '2'], { cwd: folders.make() })
    expect(none.code).to.equal(2)
    expect(none.err).to.contain('--members needs a configuration')
    const one = await rystra(['serve', '--members', '1'], { cwd: folders.make() })
    expect(one.code).to.equal(2)
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
    expect(JSON.parse(status.out).listeners).to.have.length(2)
    server.child.kill('SIGHUP')
    await server.event('reloaded')
    const { code } = await server.signal('SIGTERM')
    expect(code).to.equal(0)
    expect(server.events.filter(({ event }) => event === 'reloaded')).to.have.length(1)
    expect(server.events.filter(({ event, member }) => event === 'stopped' && member !== undefined)).to.have.length(2)
  })
})
