import { RystraError, silentLog } from '@rystra/model'
import { FakeClock } from '@rystra/testkit'
import { expect } from 'chai'
import type { ConnectConfig } from '@rystra/config'
import type { Registries } from '@rystra/plugin'
import { alternativesOf, mayGo, staysWith } from '../src/configured-servers.js'
import { roundError } from '../src/round-error.js'
import { ServerList } from '../src/server-list.js'
import { resolveServers, type SrvRecord } from '../src/srv.js'

/** Only a pin proves a server. */
const registries = {
  transports: { get: () => ({ provesServer: ({ pin }: { pin?: string }) => pin !== undefined }) }
} as unknown as Registries

const connect = (fields: object): ConnectConfig => ({ transport: 'tcp', port: 7000, ...fields }) as ConnectConfig
const names = (servers: readonly { name: string }[]): string[] => servers.map(({ name }) => name)

describe('the servers that a client may dial', () => {
  /** Its order is that of the list. */
  const list = (clock = new FakeClock(), records: readonly SrvRecord[] = []) =>
    new ServerList({ clock, log: silentLog, resolveSrv: () => Promise.resolve(records), random: () => 0.5 })
  const three = connect({
    servers: [{ host: 'a' }, { host: 'b', port: 1 }, { host: '::1', pin: 'own' }],
    pin: 'common'
  })

  it('have the fields of client.connect, and their own in place of them', async () => {
    const known = await list().inOrder(three, registries)
    expect(known.map(({ name, options }) => [name, options['pin'], options['servers']])).to.deep.equal([
      ['a:7000', 'common', undefined],
      ['b:1', 'common', undefined],
      ['[::1]:7000', 'own', undefined]
    ])
    expect(known[2]?.options).to.include({ host: '::1', port: 7000, transport: 'tcp' })
  })

  it('are passed over for a while when they refuse, and not when they cannot be reached', async () => {
    const clock = new FakeClock()
    const servers = list(clock)
    const [a, b] = await servers.inOrder(three, registries)
    if (a === undefined || b === undefined) throw new Error('no servers')
    servers.failed(b, new RystraError('connect.unreachable'))
    expect(names(await servers.inOrder(three, registries))).to.deep.equal(['a:7000', 'b:1', '[::1]:7000'])
    for (const code of ['session.closing', 'session.limit', 'session.refused', 'auth.refused'] as const) {
      servers.failed(a, new RystraError(code))
      expect(names(await servers.inOrder(three, registries)), code).to.deep.equal(['b:1', '[::1]:7000', 'a:7000'])
      clock.advance(29_000)
      expect(names(await servers.inOrder(three, registries)).at(-1), code).to.equal('a:7000')
      clock.advance(16_001)
      expect(names(await servers.inOrder(three, registries))[0], code).to.equal('a:7000')
    }
    servers.failed(a, new RystraError('session.limit'))
    servers.connected(a)
    expect(names(await servers.inOrder(three, registries))[0]).to.equal('a:7000')
  })

  it('of SRV records go by priority, and by weight within one', async () => {
    const record = (name: string, priority: number, weight: number): SrvRecord => ({
      name,
      priority,
      weight,
      port: 7000
    })
    const records = [record('far.', 2, 100), record('small', 1, 1), record('big', 1, 3), record('none', 1, 0)]
    const first: Record<string, number> = {}
    for (let n = 0; n < 400; n += 1) {
      const random = (): number => (n + 0.5) / 400
      const order = (await resolveServers('_x._tcp.y', () => Promise.resolve(records), random)).map(({ name }) => name)
      expect(order).to.have.length(4)
      expect(order[3], 'the highest number last, without the dot of the root').to.equal('far')
      first[order[0] as string] = (first[order[0] as string] ?? 0) + 1
    }
    expect(first['small']).to.be.within(95, 105)
    expect(first['big']).to.be.within(290, 305)
  })

  it('of SRV records: without invalid ones', async () => {
    const odd = ['', '.', 'a b', '10.0.0.1', '\u202Eb.test'].map((name) => ({ name, port: 1, priority: 1, weight: 1 }))
    const noPort = { name: 'x.test', port: 0, priority: 1, weight: 1 }
    const good = { name: 'ok.test', port: 7, priority: 9, weight: 1 }
    const resolved = (records: readonly SrvRecord[]) => resolveServers('_x._tcp.test', () => Promise.resolve(records))
    expect(await resolved([...odd, noPort, good])).to.deep.equal([good])
    const many = Array.from({ length: 5000 }, (_, n) => ({ ...good, name: `h${n}.test` }))
    expect(await resolved(many)).to.have.length(64)
    const error = await resolved([...odd, noPort]).catch((cause: RystraError) => cause)
    expect((error as RystraError).code).to.equal('connect.unreachable')
  })

  it('of SRV records stay within the domain unless TLS proves them', async () => {
    const records = ['a.example.net', 'example.net.evil.test', 'evilexample.net'].map((name, priority) => ({
      name,
      port: 7000,
      priority,
      weight: 1
    }))
    const srv = '_rystra._tcp.Example.net.'
    const found = async (fields: object) =>
      names(await list(new FakeClock(), records).inOrder(connect(fields), registries))
    expect(await found({ srv })).to.deep.equal(['a.example.net:7000'])
    expect(await found({ srv, pin: 'x' })).to.have.length(3)
    const outside = list(new FakeClock(), records.slice(1)).inOrder(connect({ srv }), registries)
    expect(await outside.catch(({ code }: RystraError) => code)).to.equal('connect.unreachable')
  })
})

describe('a place to which a server points', () => {
  it('is one of the configuration, or any that TLS proves', () => {
    const address = { host: 'c', port: 7000 }
    const own = connect({ servers: [{ host: 'a', pin: 'of a' }, { host: 'B' }] })
    expect(mayGo(address, own, registries)).to.equal(false)
    expect(mayGo({ host: 'b', port: 7000 }, own, registries)).to.equal(true)
    expect(mayGo({ host: 'b', port: 22 }, own, registries), 'another port').to.equal(false)
    expect(mayGo(address, connect({ host: 'a', pin: 'x' }), registries)).to.equal(true)
    for (const host of ['', 'a b', '-', '\u0000'])
      expect(mayGo({ host, port: 1 }, connect({ pin: 'x' }), registries)).to.equal(false)
    expect(mayGo({ host: 'c', port: 0 }, connect({ pin: 'x' }), registries)).to.equal(false)
    const [known] = alternativesOf([address, { host: 'a', port: 7000 }], own, registries)
    expect(known?.options['pin'], 'with the fields of its entry').to.equal('of a')
  })
})

describe('a session when the configuration changes', () => {
  it('stays where its server is the same, with the same fields', () => {
    const client = (fields: object, id = 'x') => ({ id, connect: connect(fields) }) as never
    const server = { name: 'a:7000', options: { transport: 'tcp', host: 'a', port: 7000 }, priority: 0 }
    const before = client({ host: 'a' })
    expect(staysWith(server, before, client({ servers: [{ host: 'b' }, { host: 'a' }] }))).to.equal(true)
    expect(staysWith(server, before, client({ servers: [{ host: 'b' }] }))).to.equal(false)
    expect(staysWith(server, before, client({ servers: [{ host: 'a', pin: 'new' }] }))).to.equal(false)
    expect(staysWith(server, before, client({ servers: [{ host: 'a' }] }, 'y')), 'another client').to.equal(false)
  })
})

describe('why none of several servers could be connected to', () => {
  const failure = (name: string, code: 'auth.refused' | 'connect.unreachable' | 'tls.untrusted') => ({
    server: { name } as never,
    error: new RystraError(code)
  })

  it('can pass by itself where that of one can', () => {
    const error = roundError([failure('a', 'auth.refused'), failure('b', 'connect.unreachable')])
    expect(error.retryable).to.equal(true)
    expect(error.message).to.contain('a: authentication was refused').and.to.contain('b: the server cannot be reached')
    expect(roundError([failure('a', 'auth.refused'), failure('b', 'tls.untrusted')]).retryable).to.equal(false)
  })
})
