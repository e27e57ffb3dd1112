import { expect } from 'chai'
import { session, World } from './world.js'

const tcp = (port = 0, name = 'web') => ({ name, kind: 'tcp', port })
const http = (host: string | string[], name = 'web') => ({ name, kind: 'http', host })
const visited = (name: string, of?: string) => ({ name, kind: 'private', ...(of === undefined ? {} : { of }) })

const a = session('tenant-a/one')
const b = session('tenant-b/one')

const twoTenants = {
  tenants: { a: ['tenant-a/*'], b: ['tenant-b/*'] },
  baseDomain: 'example.org',
  rules: [
    { tenant: 'a', ports: ['20000-20099'], hosts: ['*.a.example.org', 'A.example.'], names: ['a-*', 'web', 'u'] },
    { tenant: 'b', ports: ['20000-20999', 30000], hosts: ['*.example.org', '*.b.net'] }
  ]
} as const

const made = (options: object = twoTenants): World => new World(options as never)

describe('hook-acl, the rule that applies', () => {
  it('is the first that matches the identity, by id, tenant and rights', () => {
    const world = made({
      rules: [
        { identities: ['root'] },
        { rights: { plan: 'pro', roles: 'dev' }, kinds: ['http'] },
        { identities: ['x/*'], kinds: ['udp'] },
        { identities: ['x/banned', 'y'], deny: true }
      ]
    })
    const kind = (identity: Parameters<typeof session>[0]): string =>
      JSON.stringify(world.ask(session(identity), tcp()))
    expect(kind('root')).include('"kind":"tcp"')
    expect(kind({ id: 'q', rights: { plan: 'pro', roles: ['ops', 'dev'] } })).include('allowed: http')
    expect(kind({ id: 'q', rights: { plan: 'pro' } })).include('no rule')
    expect(kind({ id: 'q', rights: { plan: ['pro'], roles: 'developer' } })).include('no rule')
    expect(kind('x/banned'), 'the first counts').include('allowed: udp')
    expect(kind('y')).include('is denied everything')
  })

  it('is the default when none matches, which refuses', () => {
    expect(made({}).ask(a, tcp())).match(/no rule/)
    expect(made({ default: 'allow' }).ask(a, tcp())).deep.equal(tcp())
  })

  it('prefers a right to a pattern, and accepts only the identity’s own rights', () => {
    const world = made({ tenants: { a: ['*'] }, rules: [{ tenant: 'b' }, { rights: { toString: 'x' } }] })
    expect(world.ask(session({ id: 'x', rights: { tenant: 'b' } }), tcp())).not.a('string')
    expect(world.ask(session('x'), tcp())).match(/no rule/)
    expect(world.ask(session({ id: 'x', rights: { tenant: 7 } }), tcp())).match(/no rule/)
  })
})

describe('hook-acl, ports', () => {
  it('are those of the rule, and a free one comes from them', () => {
    expect(made().ask(a, tcp(20_099))).deep.equal({ ...tcp(20_099), ports: ['20000-20099'] })
    expect(made().ask(a, tcp(20_100))).equal('port 20100 is not allowed; allowed: 20000-20099')
    expect(made().ask(a, tcp())).deep.equal({ ...tcp(), ports: ['20000-20099'] })
    expect(made().ask(a, { name: 'u', kind: 'udp' })).deep.equal({ name: 'u', kind: 'udp', ports: ['20000-20099'] })
  })

  it('that another rule names more closely are reserved for it', () => {
    expect(made().ask(b, tcp(20_050))).equal('port 20050 is reserved')
    expect(made().ask(b, tcp())).deep.equal({ ...tcp(), ports: ['20100-20999', '30000'] })
    const open = made({ default: 'allow', rules: [{ identities: ['x'], ports: [5000] }] })
    expect(open.ask(a, tcp(5000))).equal('port 5000 is reserved')
    expect(open.ask(a, tcp())).deep.equal({ ...tcp(), ports: ['1-4999', '5001-65535'] })
  })

  it('that two rules name equally closely are for both', () => {
    const rules = [
      { identities: ['x'], ports: ['1-9'] },
      { identities: ['y'], ports: ['1-9'] }
    ]
    for (const id of ['x', 'y']) expect(made({ rules }).ask(session(id), tcp(5)), id).not.a('string')
  })

  it('a rule may allow none, and may be refused for a range that is not valid', () => {
    expect(made({ rules: [{ ports: [] }] }).ask(a, tcp())).equal('no port is allowed')
    expect(() => made({ rules: [{ ports: ['9-1'] }] })).throws('9-1')
  })
})

describe('hook-acl, hosts', () => {
  it('are those of the rule, in any way of writing them', () => {
    for (const host of [
      'x.a.example.org',
      'X.Y.A.Example.ORG.',
      '*.a.example.org',
      '*.deep.a.example.org',
      'a.example'
    ])
      expect(made().ask(a, http(host)), host).not.a('string')
    for (const host of ['a.example.org', '*.example.org', 'xa.example.org', 'b.example', '*.a.example', '*.org'])
      expect(made().ask(a, http(host)), host).match(/^host .* is not allowed/)
  })

  it('all count, also by way of a subdomain', () => {
    expect(made().ask(a, http(['x.a.example.org', 'evil.example.org']))).match(/^host evil.example.org is not/)
    expect(made().ask(a, { ...http('x.a.example.org'), subdomain: 'evil' })).match(/^host evil.example.org is not/)
    expect(made().ask(b, { name: 'w', kind: 'http', subdomain: 'mine' })).not.a('string')
    expect(made().ask(b, { name: 'w', kind: 'http', subdomain: 'x.a' })).equal('host x.a.example.org is reserved')
  })

  it('that another rule names more closely are reserved for it, also against wildcards over them', () => {
    for (const host of [
      'shop.a.example.org',
      '*.a.example.org',
      '*.example.org',
      '*.x.a.example.org',
      'X.A.EXAMPLE.ORG'
    ])
      expect(made().ask(b, http(host)), host).match(/is reserved$/)
    for (const host of ['b.example.org', '*.b.example.org', '*.b.net'])
      expect(made().ask(b, http(host)), host).not.a('string')
    const other = made({ default: 'allow', rules: [{ identities: ['x'], hosts: ['app.example.org'] }] })
    expect(other.ask(a, http('*.example.org'))).match(/is reserved$/)
    expect(other.ask(a, http('*.org'))).match(/is reserved$/)
  })

  it('in other scripts are compared in ASCII', () => {
    const world = made({ rules: [{ hosts: ['*.bücher.example'] }] })
    expect(world.ask(a, http('x.xn--bcher-kva.example'))).not.a('string')
    expect(world.ask(a, http('x.BÜCHER.example'))).not.a('string')
  })

  it('are not the addresses that ports are opened at', () => {
    expect(made().ask(a, { ...tcp(), host: '127.0.0.1' })).not.a('string')
  })
})

describe('hook-acl, names', () => {
  it('are those of the rule', () => {
    expect(made({ rules: [{ names: ['a-*', 'b'] }] }).ask(a, tcp(0, 'c'))).equal(
      'name c is not allowed; allowed: a-*, b'
    )
    expect(made({ rules: [{ names: ['a-*'] }] }).ask(a, visited('a-1', 'b-1'))).match(/^name b-1 is not/)
  })

  it('that all clients share are reserved for the identities of the rule that names them; a client’s own are not', () => {
    expect(made().ask(b, visited('a-db'))).equal('name a-db is reserved')
    expect(made().ask(b, visited('x', 'a-db'))).equal('name a-db is reserved')
    expect(made().ask(b, visited('a-db', 'b-db'))).not.a('string')
    expect(made().ask(b, tcp(0, 'a-db'))).not.a('string')
    expect(made().ask(a, visited('a-db'))).not.a('string')
  })
})

describe('hook-acl, what is reserved', () => {
  const reserved = { ports: [22, '20000-20009'], hosts: ['admin.example.org', '*.corp.example.org'], names: ['root-*'] }
  const rules = [
    { identities: ['boss'], hosts: ['admin.example.org'], ports: [22], names: ['*', 'root-*'] },
    { identities: ['*'] }
  ]

  it('is only for the identities whose rule names it', () => {
    const world = made({ rules, reserved })
    const boss = session('boss')
    for (const spec of [tcp(22), http('admin.example.org'), visited('root-db')])
      expect(world.ask(boss, spec), JSON.stringify(spec)).not.a('string')
    for (const spec of [
      tcp(22),
      tcp(20_005),
      http('admin.example.org'),
      http('*.example.org'),
      http('x.corp.example.org')
    ])
      expect(world.ask(a, spec), JSON.stringify(spec)).match(/is reserved$/)
    expect(world.ask(a, visited('root-db'))).equal('name root-db is reserved')
    for (const spec of [tcp(23), http('app.example.org'), visited('db')]) expect(world.ask(a, spec)).not.a('string')
  })

  it('is refused with the code of a taken port or name; the log has the reason', () => {
    const world = made({ ...twoTenants, reserved: { names: ['root'] } })
    const codes = [
      tcp(20_050),
      tcp(40_000),
      http('x.a.example.org'),
      http('foreign.net'),
      visited('a-db'),
      visited('root')
    ]
    expect(codes.map((spec) => world.codeOf(b, spec))).deep.equal([
      'proxy.port-taken',
      'proxy.port-taken',
      'proxy.claimed',
      'proxy.claimed',
      'proxy.claimed',
      'proxy.claimed'
    ])
  })
})

describe('hook-acl, streams', () => {
  const rules = [{ identities: ['open'] }, { visitors: ['10.0.0.0/8', '2001:db8::/32'] }]

  it('do not come from networks that are denied, to one rule or to all', () => {
    const world = made({
      denyVisitors: ['203.0.113.0/24'],
      rules: [{ identities: ['a'], visitors: ['10.0.0.0/8'], denyVisitors: ['10.9.0.0/16'] }, {}]
    })
    const denied = (id: string, host: string, through?: ReturnType<typeof session>): boolean => {
      const stream = world.stream(session(id), tcp(), host, through)
      expect(world.request(stream) !== undefined).equal(world.open(stream).denied !== undefined)
      return world.open(stream).denied !== undefined
    }
    expect(
      ['10.1.0.1', '10.9.0.1', '::ffff:10.9.0.1', '11.0.0.1', '203.0.113.7'].map((host) => denied('a', host))
    ).deep.equal([false, true, true, true, true])
    expect(['10.9.0.1', '203.0.113.7'].map((host) => denied('b', host))).deep.equal([false, true])
    expect(denied('b', '10.1.0.1', session('b', 'nas', '203.0.113.9')), 'by way of a client there').equal(true)
    expect(world.concerned(world.stream(session('b'), tcp(), '10.9.0.1')), 'the fast path').equal(false)
    expect(() => made({ denyVisitors: ['home'] })).throws('denyVisitors: "home"')
  })

  it('keep the fast path when no rule is about them', () => {
    const world = made({ rules })
    expect(world.concerned(world.stream(session('open'), tcp()))).equal(false)
    expect(world.concerned(world.stream(session('x'), tcp()))).equal(true)
  })

  it('come from the networks of the rule', () => {
    const world = made({ rules })
    const denied = (host: string, through?: ReturnType<typeof session>) =>
      world.open(world.stream(session('x'), tcp(), host, through)).denied !== undefined
    for (const host of ['10.2.3.4', '::ffff:10.2.3.4', '2001:db8:1::1']) expect(denied(host), host).equal(false)
    for (const host of ['11.0.0.1', '::ffff:11.0.0.1', '2001:db9::1', '::10.0.0.1', 'unknown', ''])
      expect(denied(host), host).equal(true)
    expect(denied('10.0.0.1', session('x', 'c', '11.0.0.1')), 'where the client is, not what it says').equal(true)
    expect(denied('11.0.0.1', session('x', 'c', '10.0.0.1'))).equal(false)
  })

  it('of requests too, with a reason', () => {
    const world = made({ rules })
    expect(world.request(world.stream(session('x'), http('h'), '11.0.0.1'))?.deny).match(/network/)
    expect(world.request(world.stream(session('x'), http('h'), '10.0.0.1'))).equal(undefined)
    expect(made({ rules: [{}] }).looksAtRequests).equal(false)
  })

  it('of another tenant find nothing', () => {
    const world = made()
    const visit = (from: ReturnType<typeof session>) =>
      world.open(world.stream(a, visited('a-db'), '10.0.0.1', from)).denied
    expect(visit(session('tenant-a/two'))).equal(undefined)
    expect(visit(b)?.hidden).equal(true)
    expect(visit(session('unknown'))?.hidden).equal(true)
  })

  it('are refused when the rules have changed since the proxy was published', () => {
    const world = made({ rules: [{ ports: ['1-9'] }] })
    expect(world.open(world.stream(a, tcp(10))).denied?.deny).match(/port 10/)
  })
})
