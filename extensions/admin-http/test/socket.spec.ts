import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync
} from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Logger, silentLog } from '@rystra/model'
import { keptToken, keptTokenFile } from '../src/kept-token.js'
import { listenUnix } from '../src/unix-socket.js'
import { FakeRuntime, portsOf, withWorld, World } from './world.js'

const onlyUnix = (stateDir?: string, more = {}): World =>
  new World(new FakeRuntime(), { listen: [], ...more }, stateDir)

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: { code: string }) => error.code
  )

describe('admin-http, the unix socket', () => {
  it(
    'is for the owner alone, in a folder that no other user enters, and gone after the stop',
    withWorld(async (world) => {
      expect(statSync(world.socket).mode & 0o777).equal(0o600)
      expect(statSync(path.dirname(world.socket)).mode & 0o777).equal(0o700)
      expect((await world.call('/v1/status', { unix: true })).json.caller).deep.equal({ name: 'local', scope: 'admin' })
      await world.server.stop()
      expect(existsSync(world.socket)).equal(false)
    }, onlyUnix)
  )

  it('loses a connection whose handler throws, and no other, with the path in the log', async () => {
    const lines: { extension?: string }[] = []
    const log: Logger = {
      ...silentLog,
      error: (fields: unknown) => void lines.push(fields as object),
      child: () => log
    }
    const file = path.join(mkdtempSync(path.join(tmpdir(), 'rystra-socket-')), 'server.sock')
    let count = 0
    const close = await listenUnix(new FakeRuntime(), file, log, (socket) => {
      count += 1
      if (count === 1) throw new Error('thrown for a connection')
      socket.end('served')
    })
    await once(
      net
        .connect(file)
        .on('error', () => {})
        .resume(),
      'close'
    )
    const [served] = await once(net.connect(file), 'data')
    expect([lines.length, lines[0]?.extension, String(served)]).deep.equal([1, 'admin-http', 'served'])
    await close()
  })

  it(
    'takes a folder that is open to others from them',
    withWorld(
      async (world) => {
        expect(statSync(path.dirname(world.socket)).mode & 0o777).equal(0o700)
      },
      () => {
        const world = onlyUnix()
        mkdirSync(path.dirname(world.socket), { recursive: true })
        chmodSync(path.dirname(world.socket), 0o777)
        return world
      }
    )
  )

  it(
    'replaces a socket that a crash left behind',
    withWorld(
      async (world) => expect((await world.call('/v1/status', { unix: true })).status).equal(200) as never,
      () => {
        const world = onlyUnix()
        mkdirSync(path.dirname(world.socket), { recursive: true, mode: 0o700 })
        const script = `require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
        expect(() => execFileSync(process.execPath, ['-e', script, world.socket], { stdio: 'ignore' })).throw()
        expect(statSync(world.socket).isSocket()).equal(true)
        return world
      }
    )
  )

  it('leaves a live one to its process, and goes on without, unless it is required', async () => {
    const world = onlyUnix()
    mkdirSync(path.dirname(world.socket), { recursive: true, mode: 0o700 })
    const other = net.createServer((socket) => socket.on('error', () => {}).end('live'))
    await new Promise<void>((resolve) => other.listen(world.socket, resolve))
    const strict = new World(new FakeRuntime(), { listen: [], requireSocket: true }, world.state)
    try {
      await world.start()
      const warnings = (): string[] => world.lines.flatMap(({ level, message }) => (level === 'warn' ? [message] : []))
      // A start that fails for another reason says that alone.
      expect(warnings()).deep.equal([])
      await world.clock.advance(1000)
      expect(warnings().join()).match(/find another process/)
      expect(await code(strict.start())).equal('listen.in-use')
      expect(existsSync(world.socket)).equal(true)
    } finally {
      await strict.stop()
      await world.stop()
      await new Promise((resolve) => other.close(resolve))
    }
  })

  it('of a process that is about to end is waited for, and missed only when it stays', async () => {
    const world = onlyUnix()
    mkdirSync(path.dirname(world.socket), { recursive: true, mode: 0o700 })
    const other = net.createServer((socket) => socket.on('error', () => {}).end('live'))
    await new Promise<void>((resolve) => other.listen(world.socket, resolve))
    const ports = portsOf(world.runtime)
    ports.returning = new Promise(() => {})
    const warned = (): boolean => world.lines.some(({ level }) => level === 'warn')
    const probed = async (): Promise<void> => {
      const seen = once(other, 'connection')
      await world.clock.advance(500)
      await seen
      // Its answer is one more turn of the loop on the other side.
      await new Promise((resolve) => void setImmediate(() => setImmediate(resolve)))
    }
    try {
      await world.start()
      await world.clock.advance(1000)
      for (let tries = 0; tries < 3; tries += 1) await probed()
      expect(warned(), 'while it may end').equal(false)
      ports.returning = undefined
      await probed()
      await until(() => {
        void world.clock.advance(1000)
        return warned()
      }, 'a warning, since it stays')
    } finally {
      await world.stop()
      await new Promise((resolve) => other.close(resolve))
    }
  })

  it('touches no file that is no socket, and goes on where the state folder cannot be made', async () => {
    const world = onlyUnix()
    mkdirSync(path.dirname(world.socket), { recursive: true })
    writeFileSync(world.socket, 'precious')
    const strict = new World(new FakeRuntime(), { listen: [], requireSocket: true }, world.state)
    const file = path.join(world.folder, 'file')
    writeFileSync(file, '')
    const inFile = new World(new FakeRuntime(), { listen: [], requireSocket: true }, path.join(file, 'state'))
    const lenient = new World(new FakeRuntime(), { listen: [] }, path.join(file, 'state'))
    try {
      expect(await code(strict.start())).equal('listen.failed')
      expect(readFileSync(world.socket, 'utf8')).equal('precious')
      expect(await code(inFile.start())).equal('listen.failed')
      await lenient.start()
      await lenient.clock.advance(1000)
      expect(lenient.lines.some(({ level }) => level === 'warn')).equal(true)
    } finally {
      for (const one of [strict, inFile, lenient, world]) await one.stop()
    }
  })

  it(
    'has a short path where the state folder has a long one',
    withWorld(
      async (world) => {
        expect(world.socket.length).lessThan(104)
        expect((await world.call('/v1/status', { unix: true })).status).equal(200)
      },
      () => onlyUnix(path.join(onlyUnix().folder, 'x'.repeat(150)))
    )
  )

  it('is handed to the successor while a reload is under way', async () => {
    const first = onlyUnix()
    const second = new World(first.runtime, { listen: [], requireSocket: true }, first.state)
    second.server.drain()
    const other = new World(new FakeRuntime(), { listen: [], requireSocket: true }, first.state)
    try {
      await first.start()
      expect(await code(other.start())).equal('listen.in-use')
      await second.start()
      expect((await second.call('/v1/status', { unix: true })).json.state).equal('draining')
      await first.server.stop()
      expect((await second.call('/v1/status', { unix: true })).json.state).equal('draining')
      await second.server.stop()
      expect(existsSync(second.socket)).equal(false)
    } finally {
      await other.stop()
      await second.stop()
      await first.stop()
    }
  })

  it('refuses a TCP port that another end of this process has', async () => {
    const first = new World()
    try {
      await first.start()
      const other = new World(new FakeRuntime(), { listen: [{ host: '127.0.0.1', port: first.port }], socket: false })
      expect(await code(other.start())).equal('listen.in-use')
      await other.stop()
    } finally {
      await first.stop()
    }
  })

  it('makes one token for processes that start at once, and closes a file that others can read', async () => {
    const { folder } = onlyUnix()
    const made = await Promise.all(Array.from({ length: 8 }, () => keptToken(folder)))
    expect(new Set(made).size).equal(1)
    chmodSync(keptTokenFile(folder), 0o644)
    expect(await keptToken(folder)).equal(made[0])
    expect(statSync(keptTokenFile(folder)).mode & 0o777).equal(0o600)
    expect(readdirSync(path.dirname(keptTokenFile(folder)))).deep.equal(['token'])
    writeFileSync(keptTokenFile(folder), '')
    expect((await keptToken(folder)).length).greaterThan(16)
  })

  it('makes a token for TCP, keeps it for the owner alone, and serves with it', async () => {
    const world = new World(new FakeRuntime(), { tokens: [] })
    try {
      await world.start()
      const file = path.join(world.state, 'admin', 'token')
      expect(statSync(file).mode & 0o777).equal(0o600)
      const token = readFileSync(file, 'utf8').trim()
      expect((await world.call('/v1/status', { token })).json.caller).deep.equal({ name: 'kept', scope: 'admin' })
      expect(JSON.stringify(world.lines)).not.include(token)
    } finally {
      await world.stop()
    }
  })
})
