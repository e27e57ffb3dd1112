import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Event, Running } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, write } from './folder.js'

const folders = new Folders()
const running: Running[] = []
const servers: net.Server[] = []

const start = (args: string[], cwd = folders.make(), env: NodeJS.ProcessEnv = {}): Running => {
  const one = new Running(args, { cwd, env })
  running.push(one)
  return one
}

const serve = async (...more: string[]): Promise<{ server: Running; join: string[]; port: number }> => {
  const flags = ['--transport', 'tcp', '--host', '127.0.0.1', '--port', '0', '--http-port', '0', '--json']
  const server = start(['serve', ...flags, ...more])
  const { args } = await server.event('join')
  return { server, join: args as string[], port: server.events[0]?.['port'] as number }
}

/** A service that sends back what it gets. */
const echo = async (): Promise<number> => {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => {}).pipe(socket))
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** Sends bytes, ends, and collects what comes back. */
const exchange = async (address: string, bytes: Buffer): Promise<Buffer> => {
  const [host, port] = address.split(':')
  const socket = net.connect({ host, port: Number(port) })
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.end(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks)
}

const freePort = async (): Promise<number> => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const config = (port: number, more = ''): string => `extensions:
  - use: '@rystra/auth-token'
    options: { token: '\${TOKEN:-a-token-of-the-test}' }
server:
  listen: [{ transport: tcp, host: 127.0.0.1, port: ${port} }]
  publish: { host: 127.0.0.1, ports: ['1024-65535'] }
${more}`

describe('serve, connect and expose', () => {
  afterEach(async () => {
    for (const one of running.splice(0)) {
      one.child.kill('SIGKILL')
      await one.done
    }
    for (const server of servers.splice(0)) server.close()
    folders.clean()
  })

  it('in an empty folder: a join string, TLS, a public address, bytes, and Ctrl-C that exits 0', async () => {
    const server = start(['serve', '--host', '127.0.0.1', '--port', '0', '--http-port', '0', '--json'])
    const { join: word, args } = await server.event('join')
    expect(server.events[0]).to.include({ event: 'listening', transport: 'tls', host: '127.0.0.1' })
    expect(server.events[1]?.event).to.equal('join')
    expect((args as string[])[0]).to.equal('--to')
    const client = start(['expose', 'tcp', String(await echo()), '--join', String(word), '--json'])
    const published = await client.event('published')
    expect(published).to.include({ kind: 'tcp' })
    expect(published['address']).to.match(/^127\.0\.0\.1:\d+$/)
    await server.event('connected', (event) => event['muxer'] === 'yamux')
    await server.event('published', (event) => event['address'] === published['address'])

    const bytes = randomBytes(300_000)
    expect((await exchange(String(published['address']), bytes)).equals(bytes)).to.equal(true)
    for (const side of [server, client]) {
      const closed = await side.event('streamClose')
      expect(closed).to.include({ bytesToService: bytes.length, bytesToVisitor: bytes.length, reason: 'end' })
      expect(closed['duration']).to.be.a('number')
    }

    expect((await client.signal('SIGINT')).code).to.equal(0)
    const last = client.events.slice(-3).map(({ event }) => event)
    expect(last).to.include('stopping')
    expect(last.at(-1)).to.equal('stopped')
    await server.event('unpublished')
    await server.event('disconnected')
    const { code, err } = await server.signal('SIGTERM')
    expect(code).to.equal(0)
    expect(err).to.equal('')
  })

  /** A server with a certificate of its own, and the arguments of `expose` that pin it. */
  const servePinned = async (
    transport: string,
    env: NodeJS.ProcessEnv
  ): Promise<{ server: Running; args: string[] }> => {
    const server = start(
      ['serve', '--transport', transport, '--host', '127.0.0.1', '--port', '0', '--json'],
      folders.make(),
      env
    )
    return { server, args: (await server.event('join'))['args'] as string[] }
  }
  const pinOf = (args: readonly string[]): string => args[args.indexOf('--dial') + 1] ?? ''

  it('tls without a certificate: one is made and kept, and expose is sure of it by its fingerprint', async () => {
    const env = { XDG_STATE_HOME: folders.make() }
    const { server, args } = await servePinned('tls', env)
    const pin = pinOf(args)
    expect(pin).to.match(/^fingerprint=sha256:[0-9a-f]{64}$/)
    expect(server.events[0]?.['join']).to.deep.equal({ fingerprint: pin.slice('fingerprint='.length) })
    const client = start(['expose', 'tcp', String(await echo()), ...args, '--json'], folders.make(), env)
    const address = String((await client.event('published'))['address'])
    const bytes = randomBytes(300_000)
    expect((await exchange(address, bytes)).equals(bytes)).to.equal(true)

    const wrong = args.map((word) => (word === pin ? `fingerprint=sha256:${'0'.repeat(64)}` : word))
    const unpinned = args.filter((word) => word !== pin && word !== '--dial')
    const [refused, untrusted] = await Promise.all(
      [wrong, unpinned].map((to) => rystra(['expose', 'tcp', '9', ...to], { cwd: folders.make(), env }))
    )
    expect(refused?.err).to.include('tls.wrong-fingerprint')
    expect(refused?.code).to.equal(5)
    expect(untrusted?.err).to.include('tls.untrusted')

    await server.signal('SIGINT')
    const again = await servePinned('tls', env)
    expect(again.args, 'the next one shows the same certificate, in whatever folder it runs').to.include(pin)
  })

  for (const transport of ['wss', 'http2', 'quic']) {
    it(`${transport} without a certificate: expose is sure of the server by its fingerprint`, async () => {
      const { args } = await servePinned(transport, { XDG_STATE_HOME: folders.make() })
      expect(pinOf(args)).to.match(/^fingerprint=sha256:[0-9a-f]{64}$/)
      const client = start(['expose', 'tcp', '9', ...args, '--muxer', 'direct', '--json'])
      expect(await client.event('connected')).to.include({ transport })
      if (transport !== 'quic') return
      await client.event('published')
      expect((await client.signal('SIGTERM')).err).to.include('muxer direct has no effect')
    })
  }

  it('for people: the line to run, the public address first, then connections with bytes and duration', async () => {
    const server = start(['serve', '--host', '127.0.0.1', '--port', '0', '--http-port', '0'])
    const command = await server.line(/rystra expose tcp 3000/)
    expect(server.lines[0]).to.match(/^Listening on tls 127\.0\.0\.1:\d+\.$/)
    const args = command.trim().split(' ').slice(command.trim().split(' ').indexOf('--join'))
    const service = await echo()
    const client = start(['expose', 'tcp', `127.0.0.1:${service}`, ...args])
    const line = await client.line(/→/)
    expect(client.lines[0]).to.equal(line)
    expect(line).to.match(new RegExp(`^127\\.0\\.0\\.1:\\d+ → 127\\.0\\.0\\.1:${service}$`))
    await exchange(line.split(' ')[0] ?? '', Buffer.alloc(1500))
    expect(await client.line(/closed/)).to.match(
      /127\.0\.0\.1:\d+ {2}closed {2}1\.5 kB in, 1\.5 kB out, \d+(\.\d)? m?s$/
    )
    const { code, err } = await client.signal('SIGINT')
    expect(code).to.equal(0)
    expect(err)
      .to.match(/connected to tls:\/\/127\.0\.0\.1/)
      .and.include('stopping')
  })

  it('Ctrl-C lets open connections finish; a second one ends at once with 130', async () => {
    const { join: args } = await serve()
    const client = start(['expose', 'tcp', String(await echo()), ...args, '--json'])
    const address = String((await client.event('published'))['address'])
    const [host, port] = address.split(':')
    const visitor = net.connect({ host, port: Number(port) })
    visitor.on('error', () => {})
    visitor.write('hello')
    await once(visitor, 'data')
    client.child.kill('SIGINT')
    await client.event('stopping', ({ streams }) => streams === 1)
    visitor.write('still')
    expect(String((await once(visitor, 'data'))[0])).to.equal('still')
    // Pressed again and again: what comes right after the first is taken for its echo, what comes later is meant.
    const pressing = setInterval(() => client.child.kill('SIGINT'), 50)
    try {
      expect((await client.done).code).to.equal(130)
    } finally {
      clearInterval(pressing)
    }
    visitor.destroy()
  })

  it('a signal that arrives twice at once, as through npx, is one', async () => {
    const { server } = await serve()
    // Two of the same kind would become one on their way already.
    server.child.kill('SIGINT')
    server.child.kill('SIGTERM')
    expect((await server.done).code).to.equal(0)
  })

  it('the token may come from the environment on both ends, and streams may be links of their own', async () => {
    const env = { RYSTRA_TOKEN: 'of the environment' }
    const flags = ['--transport', 'tcp', '--host', '127.0.0.1', '--port', '0', '--http-port', '0', '--json']
    const server = start(['serve', ...flags], folders.make(), env)
    const { args } = await server.event('join')
    expect(args).to.include('of the environment')
    const client = start(
      ['expose', 'tcp', '9', '--to', (args as string[])[1] ?? '', '--muxer', 'direct', '--json'],
      folders.make(),
      env
    )
    await client.event('published')
    expect(await server.event('connected')).to.include({ muxer: 'direct' })
  })

  it('a join string names the server to expose, connect and init; a token of one client is for no other', async () => {
    const flags = ['--host', '127.0.0.1', '--port', '0', '--http-port', '0', '--once', '--json']
    const server = start(['serve', ...flags])
    const word = String((await server.event('join'))['join'])
    const dir = folders.make()
    const made = await rystra(['init', '.', '--join', word, '--yes'], { cwd: dir })
    expect(made.code, made.err).to.equal(0)
    expect((await rystra(['check'], { cwd: dir })).code).to.equal(0)
    const first = start(['connect', '--json'], dir)
    await first.event('published')
    const other = await rystra(['expose', 'tcp', '9'], { cwd: folders.make(), env: { RYSTRA_SERVER: word } })
    expect(other.code).to.equal(5)
    expect(other.err).to.include('auth.refused')
    expect((await first.signal('SIGTERM')).code).to.equal(0)
    const bare = folders.make({ 'rystra.config.yaml': 'client: { id: other, proxies: [] }\n' })
    const joined = await rystra(['connect', '--join', word, '--no-retry'], { cwd: bare })
    expect(joined.err).to.include('auth.refused')
    const again = start(['connect', '--json'], dir)
    await again.event('published')
    const project = start(['9', '--json'], dir)
    expect(await project.event('error')).to.include({ code: 'auth.refused' })
  })

  it('without a server it says what names one', async () => {
    const { code, err } = await rystra(['3000'], { cwd: folders.make() })
    expect(code).to.equal(2)
    expect(err).to.include('--join').and.include('RYSTRA_SERVER').and.include('rystra serve')
  })

  it('a wrong token ends expose and connect with 5, and the server says so', async () => {
    const { server, join: args, port } = await serve()
    const wrong = await rystra(['expose', 'tcp', '9', '--to', args[1] ?? '', '--token', 'wrong'], {
      cwd: folders.make()
    })
    expect(wrong.code).to.equal(5)
    expect(wrong.err).to.include('authentication was refused').and.include('check the token')
    expect(wrong.err).not.to.match(/^\s+at /m)
    await server.event('refused', ({ code }) => code === 'auth.refused')
    const dir = folders.make({
      'rystra.config.yaml': config(port, `client:\n  connect: { host: 127.0.0.1, port: ${port} }\n`)
    })
    const connect = await rystra(['connect', '--json'], { cwd: dir })
    expect(connect.code).to.equal(5)
    const last = JSON.parse(connect.out.trim().split('\n').at(-1) ?? '') as Event
    expect(last).to.include({ event: 'error', code: 'auth.refused', exitCode: 5 })
  })

  it('a port that is taken ends serve with 8, and one that is refused ends expose with 6', async () => {
    const { port, join: args } = await serve()
    const taken = await rystra(['serve', '--host', '127.0.0.1', '--port', String(port), '--json'], {
      cwd: folders.make()
    })
    expect(taken.code).to.equal(8)
    expect(JSON.parse(taken.out)).to.include({ event: 'error', code: 'listen.in-use', side: 'server' })
    const refused = await rystra(['expose', 'tcp', '9', ...args, '--port', '80'], { cwd: folders.make() })
    expect(refused.code).to.equal(6)
    expect(refused.err).to.include('proxy.port-not-allowed').and.include('80')
    const held = await rystra(['expose', 'tcp', '9', ...args, '--port', String(port), '--json'], {
      cwd: folders.make()
    })
    expect(held.code).to.equal(6)
    expect(held.out).to.include('"code":"proxy.port-taken"')
  })

  it('a server that is not there is dialed again, and each time that is told; --no-retry ends with 4', async () => {
    const port = await freePort()
    const to = ['--to', `127.0.0.1:${port}`, '--token', 't']
    const client = start(['expose', 'tcp', '9', ...to, '--json'])
    // One that accepts and says nothing: its time-out is long, and what is waited for is told before.
    const silent = net.createServer((socket) => socket.on('error', () => {}).resume())
    servers.push(silent.listen(0, '127.0.0.1'))
    await once(silent, 'listening')
    const address = `127.0.0.1:${(silent.address() as AddressInfo).port}`
    const waiting = start(['expose', 'tcp', '9', '--to', address, '--token', 't', '--json']).event('waiting')
    await client.event('reconnecting', ({ attempt }) => attempt === 1)
    expect(await client.event('reconnecting', ({ attempt }) => attempt === 2)).to.include({
      code: 'connect.unreachable',
      retryable: true
    })
    expect((await client.signal('SIGINT')).code).to.equal(0)
    expect(await waiting).to.include({ server: `tcp://${address}` })
    const given = await rystra(['expose', 'tcp', '9', ...to, '--no-retry'], { cwd: folders.make() })
    expect(given.code).to.equal(4)
    expect(given.err).to.include(`127.0.0.1:${port}`).and.include('next: check host, port, firewall')
  })

  it('garbage for --to, a service, a transport, a kind or a muxer is refused before anything is dialed', async () => {
    const cwd = folders.make()
    const cases: [args: string[], code: number, words: string][] = [
      [
        ['tcp', '9', '--to', 'tcp://:::7000', '--token', 't'],
        2,
        '--to: expected [::]:7000, with brackets around the IPv6 address'
      ],
      [['tcp', 'nope', '--to', 'x', '--token', 't'], 2, 'the service: expected'],
      [
        ['tcp', '9', '--to', 'pigeon://x:1', '--token', 't'],
        3,
        'no transport named "pigeon"; there are tcp, tls, quic, ws, http2, wss'
      ],
      [
        ['tcp', '9', '--to', 'x', '--token', 't', '--muxer', 'smux'],
        3,
        'no muxer named "smux"; there are yamux, direct'
      ],
      [['tcp', '9', '--to', 'x', '--token', ''], 2, '--token'],
      [['tcp', '9', '--to', 'x'], 2, '--token is missing'],
      [['tcp', '9', '--to', 'x', '--token', 't', '--port', '99999'], 2, '--port'],
      [['tcp', '9', '--to', 'x', '--token', 't', '--dial', 'frob=1'], 2, 'client.connect.frob: unknown key'],
      [['gopher', '9', '--to', 'x', '--token', 't'], 3, 'no kind named "gopher"; there are tcp']
    ]
    const check = async ([args, code, words]: (typeof cases)[number]): Promise<void> => {
      const outcome = await rystra(['expose', ...args], { cwd })
      expect(outcome.code, `${args.join(' ')}\n${outcome.err}`).to.equal(code)
      expect(outcome.err, args.join(' ')).to.include(words)
    }
    await Promise.all(cases.map(check))
  })

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

  it('with a configuration, flags change its address, and --token is refused', async () => {
    const dir = folders.make({ 'rystra.config.yaml': config(1) })
    const server = start(['serve', '--port', '0', '--json'], dir)
    expect((await server.event('listening'))['port']).to.be.greaterThan(1023)
    const token = await rystra(['serve', '--token', 't'], { cwd: dir })
    expect(token.code).to.equal(2)
    expect(token.err).to.include('--token is for a server without a configuration')
    const transport = await rystra(['serve', '--transport', 'tls'], { cwd: dir })
    expect(transport.code).to.equal(2)
    const named = await rystra(['serve', '--config', join(dir, 'absent.yaml')], { cwd: dir })
    expect(named.code).to.equal(2)
    const client = await rystra(['connect'], { cwd: dir })
    expect(client.code).to.equal(2)
    expect(client.err).to.include('has no `client`')
  })

  it('a client whose every proxy is refused for good ends connect with 6', async () => {
    const { port } = await serve('--token', 'a-token-of-the-test')
    const dir = folders.make({
      'rystra.config.yaml': config(
        1,
        `client:\n  connect: { host: 127.0.0.1, port: ${port} }\n  proxies: [{ name: a, kind: tcp, local: 9, port: 80 }]\n`
      )
    })
    const { code, err } = await rystra(['connect'], { cwd: dir })
    expect(code).to.equal(6)
    expect(err).to.include('proxy.port-not-allowed')
  })
})
