import { expect } from 'chai'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cleanEnv, type Event } from '../command.js'
import { Folders } from '../folder.js'
import { build, checkout, must } from './built.js'

/** No registry listens there: a request to it fails, and these tests with it. */
const offline = { npm_config_registry: 'http://127.0.0.1:1/', npm_config_fetch_retries: '0' }

describe('from a checkout, with nothing published and no registry', function () {
  this.timeout(180_000)
  const folders = new Folders()
  const children: ChildProcess[] = []
  before(build)
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      // npx and what it started are one group.
      process.kill(-(child.pid ?? 0), 'SIGKILL')
      await once(child, 'exit')
    }
    folders.clean()
  })

  interface Started {
    readonly event: Event
    /** As Ctrl-C on a terminal: to npx and what it started. Resolves to the last event. */
    stop(): Promise<Event>
  }

  /** A command that goes on, until its first event of a name. */
  const start = async (args: string[], cwd: string, name: string): Promise<Started> => {
    const child = spawn('npx', ['rystra', ...args, '--json'], {
      cwd,
      env: cleanEnv(offline),
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true
    })
    children.push(child)
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]()
    const next = async (): Promise<Event | undefined> => {
      const { value, done } = await lines.next()
      return done === true ? undefined : (JSON.parse(value) as Event)
    }
    const stop = async (): Promise<Event> => {
      process.kill(-(child.pid ?? 0), 'SIGINT')
      let last: Event | undefined
      for (let event = await next(); event !== undefined; event = await next()) last = event
      if (last === undefined) throw new Error('it said nothing more')
      return last
    }
    for (let event = await next(); event !== undefined; event = await next()) {
      if (event.event === name) return { event, stop }
      if (event.event === 'error') throw new Error(JSON.stringify(event))
    }
    throw new Error(`it ended before the event ${name}`)
  }

  it('init, npm install, plugins:add, check, serve and connect are a way that can be walked', async () => {
    const parent = folders.make()
    const dir = join(parent, 'my-tunnel')
    await must('npx', ['rystra', 'init', dir, '--yes'], checkout, offline)
    await must('npm', ['install', '--no-audit', '--no-fund'], dir, offline)
    const added = await must('npx', ['rystra', 'plugins:add', '@rystra/transport-tcp'], dir, offline)
    expect(added).to.include('from the checkout')
    expect(readFileSync(join(dir, 'rystra.config.yaml'), 'utf8')).to.include("- use: '@rystra/transport-tcp'")
    // npx takes as long as the command: these are started as npx starts them.
    const bin = join(dir, 'node_modules/.bin/rystra')
    await must(bin, ['extension:create', 'office-hours'], dir, offline)
    await must(bin, ['plugins', 'add', './office-hours'], dir, offline)

    // Any free port instead of the usual one, which may be taken on this machine.
    const file = join(dir, 'rystra.config.yaml')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace('host: 127.0.0.1, port: 7000 }', 'host: 127.0.0.1, port: 0 }')
    )
    await must(bin, ['check'], dir, offline)
    const server = await start(['serve'], dir, 'listening')
    writeFileSync(
      file,
      readFileSync(file, 'utf8')
        .replace("host: '127.0.0.1', port: 7000", `host: '127.0.0.1', port: ${server.event['port']}`)
        .replace(', port: 20080', '')
    )
    const client = await start(['connect'], dir, 'published')
    expect(client.event['address']).to.match(/^127\.0\.0\.1:2\d{4}$/)
    // Cleanly, though npx passes on a signal that has reached us as well.
    for (const one of [client, server]) expect((await one.stop()).event).to.equal('stopped')
  })

  it('extension:create makes a package whose npm install and npm test pass', async () => {
    const parent = folders.make()
    await must(
      'npx',
      ['rystra', 'extension:create', '@acme/rystra-hook-door', '--dir', join(parent, 'door')],
      checkout,
      offline
    )
    const dir = join(parent, 'door')
    expect(readFileSync(join(dir, 'src/index.ts'), 'utf8')).to.include("name: 'door'")
    expect(readFileSync(join(dir, 'src/index.ts'), 'utf8').trim().split('\n').length).to.be.at.most(20)
    await must('npm', ['install', '--no-audit', '--no-fund'], dir, offline)
    expect(await must('npm', ['test'], dir, offline)).to.match(/[#ℹ] fail 0/)
    await must('npm', ['run', 'check'], dir, offline)
  })
})
