import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, statSync, watch, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bin, cleanEnv, nodeArgs, Running, rystra } from './command.js'
import { commands } from './fixtures/commands.js'

const project = `extensions:
  - use: '@rystra/auth-token'
    options: { token: a-token-of-the-test }
server:
  listen: [{ host: 127.0.0.1, port: 0 }]
  publish: { host: 127.0.0.1 }
`

/** Makes an event of the server: a peer that does not speak the protocol is refused. */
const disturb = async (port: unknown): Promise<void> => {
  const socket = net.connect({ host: '127.0.0.1', port: Number(port) })
  socket
    .on('error', () => {})
    .resume()
    .end('GET / HTTP/1.0\r\n\r\n')
  await once(socket, 'close')
}

describe('what happens around a command', () => {
  const { folders, track } = commands()

  const serve = (
    cwd = folders.make(),
    more = ['--http-port', '0', '--transport', 'tcp'],
    options: { stderr?: number; env?: NodeJS.ProcessEnv } = {}
  ): Running => {
    const server = new Running(['serve', '--host', '127.0.0.1', '--port', '0', '--json', ...more], { cwd, ...options })
    track(server)
    return server
  }
  it('a log on a full disk does not end a server, nor does SIGHUP without a terminal, as under nohup', async () => {
    const full = openSync('/dev/full', 'w')
    const server = serve(folders.make(), undefined, { stderr: full })
    closeSync(full)
    const { port } = await server.event('listening')
    server.child.kill('SIGHUP')
    for (let i = 1; i <= 3; i++) {
      await disturb(port)
      await server.event('refused', () => server.events.filter(({ event }) => event === 'refused').length === i)
    }
    expect((await server.signal('SIGTERM')).code).to.equal(0)
  })

  it('a reader of --json that goes ends the command cleanly', async () => {
    const server = serve()
    const { port } = await server.event('listening')
    server.child.stdout?.destroy()
    // The second write at the latest meets the closed pipe.
    await disturb(port).catch(() => {})
    await disturb(port).catch(() => {})
    expect((await server.done).code).to.equal(0)
  })

  const ontoFullDisk = async (command: string): Promise<{ code: number; err: string }> => {
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [...nodeArgs, bin, command], {
      cwd: folders.make(),
      env: cleanEnv(),
      stdio: ['ignore', full, 'pipe']
    })
    closeSync(full)
    let err = ''
    child.stderr?.on('data', (chunk) => {
      err += String(chunk)
    })
    const [code] = await once(child, 'close')
    return { code, err }
  }

  it('a result that cannot be written is an error, not a success; a command that failed keeps its code', async () => {
    const [list, check] = await Promise.all([ontoFullDisk('plugins:list'), ontoFullDisk('check')])
    expect(list.code).to.equal(1)
    expect(list.err).to.include('file.failed').and.include('ENOSPC')
    expect(check.code).to.equal(2)
    expect(check.err).to.include('config.not-found').and.not.include('ENOSPC')
  })

  it('SIGHUP reads the configuration again; one that is wrong changes nothing', async () => {
    const cwd = folders.make({ 'rystra.config.yaml': project })
    const server = serve(cwd, [])
    const { port } = await server.event('listening')
    server.child.kill('SIGHUP')
    await server.event('reloaded')
    writeFileSync(join(cwd, 'rystra.config.yaml'), `${project}bad: [\n`)
    server.child.kill('SIGHUP')
    expect(await server.event('reloadFailed')).to.include({ code: 'config.syntax' })
    await disturb(port)
    await server.event('refused')
    expect((await server.signal('SIGTERM')).code).to.equal(0)
  })

  it('--watch follows the file, `reload` reads it, and --resume starts with the last good one when it is broken', async () => {
    const cwd = folders.make({ 'rystra.config.yaml': project })
    const file = join(cwd, 'rystra.config.yaml')
    const server = serve(cwd, ['--watch'])
    await server.event('listening')
    writeFileSync(file, project.replace('server:', 'log: { level: warn }\nserver:'))
    await server.event('reloaded')
    const { code, out } = await rystra(['reload', '--json'], { cwd })
    expect([code, JSON.parse(out).items]).to.deep.equal([0, []])
    writeFileSync(file, `${project}bad: [\n`)
    expect(await server.event('reloadFailed')).to.include({ code: 'config.syntax' })
    expect((await server.signal('SIGTERM')).code).to.equal(0)
    const kept = join(cwd, '.rystra', 'last-good.json')
    expect([statSync(kept).mode & 0o777, JSON.parse(readFileSync(kept, 'utf8')).config.log.level]).to.deep.equal([
      0o600,
      'warn'
    ])
    const resumed = serve(cwd, ['--resume'])
    await resumed.event('listening')
    resumed.child.kill('SIGHUP')
    expect(await resumed.event('reloadFailed')).to.include({ code: 'config.syntax' })
    writeFileSync(file, project)
    resumed.child.kill('SIGHUP')
    await resumed.event('reloaded')
    const { err } = await resumed.signal('SIGTERM')
    expect(err).to.include('started with the last good one')
  })

  it('connect --resume starts with the last good configuration of the client, beside that of the server', async () => {
    const cwd = folders.make({ 'rystra.config.yaml': project })
    const server = serve(cwd, [])
    const { port } = await server.event('listening')
    const file = join(cwd, 'client.yaml')
    const good = `extensions: [{ use: '@rystra/auth-token', options: { token: a-token-of-the-test } }]
client: { connect: { transport: tcp, host: 127.0.0.1, port: ${port} }, proxies: [] }
`
    writeFileSync(file, good)
    const connect = (...more: string[]): Running => {
      const client = new Running(['connect', '--config', file, '--json', ...more], { cwd })
      track(client)
      return client
    }
    const client = connect()
    await client.event('connected')
    const kept = join(cwd, '.rystra', 'last-good-client.json')
    await until(() => existsSync(kept), 'it is kept')
    expect((await client.signal('SIGTERM')).code).to.equal(0)
    writeFileSync(file, `${good}bad: [\n`)
    expect((await connect().done).code).to.equal(2)
    const resumed = connect('--resume')
    await resumed.event('connected')
    writeFileSync(file, good)
    resumed.child.kill('SIGHUP')
    await resumed.event('reloaded')
    expect((await resumed.signal('SIGTERM')).err).to.include('started with the last good one')
  })

  it('a storm of SIGHUP, and a state folder that cannot be written, leave a server that serves and reloads', async () => {
    const cwd = folders.make({ 'rystra.config.yaml': project, '.rystra': 'a file in the place of the folder' })
    const server = serve(cwd, [])
    const { port } = await server.event('listening')
    for (let count = 0; count < 50; count += 1) server.child.kill('SIGHUP')
    await server.event('reloaded')
    writeFileSync(join(cwd, 'rystra.config.yaml'), project.slice(0, 60))
    server.child.kill('SIGHUP')
    expect(String((await server.event('reloadFailed'))['code'])).to.match(/^config\./)
    writeFileSync(join(cwd, 'rystra.config.yaml'), project)
    const before = server.events.filter(({ event }) => event === 'reloaded').length
    server.child.kill('SIGHUP')
    await server.event(
      'reloaded',
      (event) => server.events.filter((one) => one.event === 'reloaded').indexOf(event) >= before
    )
    await disturb(port)
    await server.event('refused')
    const { code, err } = await server.signal('SIGTERM')
    expect(code, err).to.equal(0)
    expect(err).to.include('the last good configuration could not be kept').and.include('there is no admin socket')
  })

  it('SIGUSR1 and SIGUSR2 neither open a port for debuggers nor end a server', async () => {
    const server = serve()
    const { port } = await server.event('listening')
    for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) server.child.kill(signal)
    await disturb(port)
    await server.event('refused')
    const { code, err } = await server.signal('SIGTERM')
    expect([code, err.includes('Debugger')]).to.deep.equal([0, false])
  })

  it('an empty file in the place of the kept token, as of a disk that was full, gets a token', async () => {
    const state = folders.make({ token: '\n' })
    const joins: unknown[] = []
    for (let count = 0; count < 2; count += 1) {
      const server = serve(folders.make(), undefined, { env: { RYSTRA_STATE: state } })
      const { args } = await server.event('join')
      joins.push((args as string[])[3])
      await server.signal('SIGTERM')
    }
    expect(joins[0]).to.be.a('string').and.have.length.greaterThan(15)
    expect(joins[1]).to.equal(joins[0])
  })

  it('a signal ends process 1 while it loads, and drains a server that runs; listeners of others stay', async () => {
    // A process that takes itself for process 1, and hears SIGTERM as soon as it handles it: `emit`, since it has no such id.
    const preload = (then: string): string =>
      `--import=data:text/javascript,${encodeURIComponent(
        `Object.defineProperty(process, 'pid', { value: 1 }); let first = true;
       process.on('newListener', (name) => { if (name === 'SIGTERM' && first) { first = false; ${then} } })`
      )}`
    const start = (then: string) => {
      const server = new Running(['serve', '--host', '127.0.0.1', '--port', '0', '--json', '--no-admin'], {
        cwd: folders.make({ 'rystra.config.yaml': project }),
        nodeArgs: [preload(then)]
      })
      track(server)
      return server
    }
    const early = await start("setImmediate(() => process.emit('SIGTERM'))").done
    expect([early.code, early.out]).to.deep.equal([143, ''])
    const server = start("setImmediate(() => process.on('SIGTERM', () => console.error('heard as well')))")
    await server.event('listening')
    const { code, out, err } = await server.signal('SIGTERM')
    expect(code, err).to.equal(0)
    expect(out).to.include('"stopped"')
    expect(err).to.include('heard as well')
  })

  it('the end of the npm that started it ends it cleanly', async () => {
    // As npm does: a shell in between, which gets the signal and does not pass it on.
    const flags = ['--host', '127.0.0.1', '--port', '0', '--http-port', '0', '--json']
    const command = [process.execPath, ...nodeArgs, bin, 'serve', ...flags]
    const env = cleanEnv({ npm_lifecycle_event: 'npx' })
    const shell = spawn('sh', ['-c', '"$@"; exit 0', 'sh', ...command], { cwd: folders.make(), env })
    let out = ''
    shell.stdout.on('data', (chunk) => {
      out += String(chunk)
      if (out.includes('"join"')) shell.kill('SIGTERM')
    })
    await once(shell.stdout, 'end')
    expect(out).to.include('"stopping"').and.include('the npm that started it has ended').and.include('"stopped"')
  })

  it('the end of its terminal ends it cleanly', async function () {
    const cwd = folders.make({
      'exit.cjs': "process.on('exit', (code) => require('node:fs').writeFileSync('exit.tmp', String(code)))"
    })
    const flags = ['--host', '127.0.0.1', '--port', '0', '--http-port', '0']
    const command = [process.execPath, `--require=${cwd}/exit.cjs`, ...nodeArgs, bin, 'serve', ...flags]
    const words = command.map((word) => `'${word}'`).join(' ')
    const terminal = spawn('script', ['-qec', `exec ${words}`, '/dev/null'], { cwd, env: cleanEnv() })
    let out = ''
    terminal.stdout.on('data', (chunk) => {
      out += String(chunk)
      if (out.includes('--join')) terminal.kill('SIGKILL')
    })
    const [error] = await Promise.race([once(terminal, 'error'), once(terminal, 'close').then(() => [])])
    if (error !== undefined) this.skip()
    const [file, watcher] = [join(cwd, 'exit.tmp'), watch(cwd)]
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await once(watcher, 'change')
    watcher.close()
    expect(readFileSync(file, 'utf8')).to.equal('0')
  })

  it('the line of the guide keeps it running, and SIGTERM ends it cleanly', async () => {
    const page = readFileSync(fileURLToPath(new URL('../../docs/guide/getting-started.md', import.meta.url)), 'utf8')
    const line = /^nohup .*&$/m.exec(page)?.[0] ?? ''
    const command = [process.execPath, ...nodeArgs, bin].map((word) => `'${word}'`).join(' ')
    const cwd = folders.make({ 'rystra.config.yaml': project })
    const script = `${line.replace('node_modules/.bin/rystra', command)} echo $!; wait $!; echo code $?`
    const shell = spawn('sh', ['-c', script], { cwd, env: cleanEnv(), detached: true })
    let out = ''
    shell.stdout.on('data', (chunk) => {
      out += String(chunk)
    })
    const log = join(cwd, 'rystra.log')
    const seen = async (text: string): Promise<void> => {
      const watcher = watch(cwd)
      while (!existsSync(log) || !readFileSync(log, 'utf8').includes(text)) await once(watcher, 'change')
      watcher.close()
    }
    await seen('Listening')
    const pid = Number.parseInt(out, 10)
    process.kill(pid, 'SIGHUP')
    await seen('reloaded')
    process.kill(pid, 'SIGTERM')
    await once(shell, 'close')
    expect(out).to.match(/code 0$/m)
  })

  it('standard streams that are closed from the start do not matter', async () => {
    const command = [process.execPath, ...nodeArgs, bin, 'plugins:list']
    const shell = spawn('sh', ['-c', '"$@" <&- >&- 2>&-', 'sh', ...command], { cwd: folders.make(), env: cleanEnv() })
    expect((await once(shell, 'close'))[0]).to.equal(0)
  })
})
