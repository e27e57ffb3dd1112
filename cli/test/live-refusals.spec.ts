import { expect } from 'chai'
import { join } from 'node:path'
import type { Event } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { freePort, until } from '@rystra/testkit'
import { config, exchange, tunnels } from './fixtures/tunnels.js'

describe('serve, connect and expose', () => {
  const { folders, listen, serve, start } = tunnels()

  it('without a server it says what names one', async () => {
    const { code, err } = await rystra(['3000'], { cwd: folders.make() })
    expect(code).to.equal(2)
    expect(err).to.include('--join').and.include('RYSTRA_SERVER').and.include('rystra serve')
  })

  it('a wrong token ends expose and connect with 5, and a port that is taken or refused with 8 or 6', async () => {
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

    // A port that is taken ends serve with 8, and one that is refused ends expose with 6.
    const taken = await rystra(['serve', '--host', '127.0.0.1', '--port', String(port), '--json'], {
      cwd: folders.make()
    })
    expect(taken.code).to.equal(8)
    expect(JSON.parse(taken.out)).to.include({ event: 'error', code: 'listen.in-use', side: 'server' })
    // The one in front has the admin socket as well: that is no second error.
    expect(taken.err).to.equal('')
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
    // One that accepts and sends nothing: its time-out is long, and what is waited for is told before.
    const address = `127.0.0.1:${await listen((socket) => socket.resume())}`
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

  it('for people: a silent service is named once, with what to do; a refused proxy is told of once, at the end', async () => {
    const { join } = await serve()
    const port = await freePort()
    const client = start(['expose', 'tcp', String(port), ...join])
    const [address = ''] = (await client.line(/ → /)).split(' ')
    for (const count of [1, 2]) {
      await exchange(address, Buffer.from('x')).catch(() => {})
      await until(() => client.lines.filter((line) => line.includes('was refused')).length === count)
    }
    await client.errorLine(new RegExp(`next: start the service on localhost:${port}`))
    const { err } = await client.signal('SIGINT')
    expect(err.match(/next: start the service/g)).to.have.length(1)

    const refused = await rystra(['expose', 'tcp', '9', '--port', '22', ...join], { cwd: folders.make() })
    expect(refused.code).to.equal(6)
    expect(refused.err).to.include('Error: server: the port is not in server.publish.ports: 22')
    expect(refused.err).not.to.include('was refused')
  })

  it('garbage for --to, a service, a transport, a kind or a muxer is refused before anything is dialed', async () => {
    const cwd = folders.make()
    const cases: [args: string[], code: number, words: string][] = [
      [
        ['tcp', '9', '--to', 'tcp://:::7000', '--token', 't'],
        2,
        '--to: expected tcp://[::]:7000, with brackets around the IPv6 address'
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
