import { expect } from 'chai'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import type { Running } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { exchange, tunnels } from './fixtures/tunnels.js'

describe('serve, connect and expose', () => {
  const { echo, folders, serve, start } = tunnels()

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
})
