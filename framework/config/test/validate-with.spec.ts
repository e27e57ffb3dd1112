import { endpointField, localForms } from '@rystra/address'
import { expect } from 'chai'
import { Type } from '@rystra/plugin'
import { type ResolvedConfig, validateBase, validateWith } from '../src/index.js'
import type { Registered } from '../src/registered.js'
import { substitute } from '../src/variables.js'
import { kind, registered, transport } from './registered.js'
import { problemAt, refusal } from './refusal.js'

const client = (more: object = {}): ResolvedConfig => validateBase({ client: { connect: { host: 'h' }, ...more } })
const proxies = (...entries: object[]): ResolvedConfig =>
  client({ proxies: entries.map((entry, i) => ({ name: `p${i}`, kind: 'tcp', local: '127.0.0.1:1', ...entry })) })

describe('validation with extensions', () => {
  it('checks the fields of transports and kinds, and fills in their defaults', () => {
    const server = validateBase({ server: { listen: [{ transport: 'tls', key: 'k' }] } })
    expect(validateWith(server, registered(), 'server').server?.listen).to.deep.equal([
      { transport: 'tls', host: '0.0.0.0', port: 7000, key: 'k', minVersion: 'TLSv1.3' }
    ])
    const dialing = client({
      connect: { transport: 'tls', host: 'h' },
      proxies: [{ name: 'a', kind: 'tcp', local: 'x', expiresIn: '2s' }]
    })
    const checked = validateWith(dialing, registered(), 'client').client
    expect(checked?.connect).to.deep.equal({ transport: 'tls', host: 'h', port: 7000, muxer: 'yamux', verify: true })
    expect(checked?.proxies).to.deep.equal([{ name: 'a', kind: 'tcp', local: 'x', tries: 3, expiresIn: 2000 }])
  })

  it('answers an endpoint that is no such thing with the form that was meant', async () => {
    const spec = Type.Object({ local: endpointField(localForms, 'The service.') })
    const only = registered()
    const proxies = { ...only.proxies, get: () => kind('tcp', spec), has: () => true }
    const config = client({ proxies: [{ name: 'a', kind: 'tcp', local: '::1:3000' }] })
    const error = await refusal('config.invalid', () => validateWith(config, { ...only, proxies }, 'client'))
    expect(error.message).to.contain(
      'client.proxies[0].local: expected [::1]:3000, with brackets around the IPv6 address, got "::1:3000"'
    )
    const good = client({ proxies: [{ name: 'a', kind: 'tcp', local: 3000 }] })
    expect(validateWith(good, { ...only, proxies }, 'client').client?.proxies[0]?.['local']).to.equal(3000)
  })

  it('takes an address in place of host and port where the transport has such, and there alone', async () => {
    const named = { ...transport('pipe'), addressing: 'name' as const }
    const { transports } = registered()
    const pipes: Registered = {
      ...registered(),
      transports: { ...transports, get: (name) => (name === 'pipe' ? named : transports.get(name)), has: () => true }
    }
    const config = validateBase({
      server: { listen: [{ transport: 'pipe', address: 'one' }, { transport: 'pipe', address: 'two' }, {}] },
      client: { connect: { transport: 'pipe', address: 'one' } }
    })
    expect(validateWith(config, pipes, 'server').server?.listen.map(({ address }) => address)).to.deep.equal([
      'one',
      'two',
      undefined
    ])
    expect(validateWith(config, pipes, 'client').client?.connect.address).to.equal('one')
    const wrong = validateBase({
      server: { listen: [{ transport: 'pipe' }, { transport: 'tcp', address: 'one' }] },
      client: { connect: { transport: 'pipe', host: 'localhost' } }
    })
    const listen = await refusal('config.invalid', () => validateWith(wrong, pipes, 'server'))
    expect(problemAt(listen, 'server.listen[0].address').expected).to.match(/^an address, by which the transport pipe/)
    expect(problemAt(listen, 'server.listen[1].address').expected).to.match(/^host and port: the transport tcp/)
    const connect = await refusal('config.invalid', () => validateWith(wrong, pipes, 'client'))
    expect(problemAt(connect, 'client.connect.address').expected).to.match(/^an address/)
    const twice = {
      listen: [
        { transport: 'pipe', address: 'one' },
        { transport: 'pipe', address: 'one' }
      ]
    }
    const same = await refusal('config.invalid', () => validateBase({ server: twice }))
    expect(problemAt(same, 'server.listen[1]').value).to.equal('pipe one')
  })

  it('may be given what it returned', () => {
    const once = validateWith(proxies({ port: 5 }), registered(), 'client')
    expect(validateWith(validateBase(once), registered(), 'client')).to.deep.equal(once)
  })

  it('takes yamux if it is there, otherwise the first muxer, otherwise none', () => {
    const muxer = (names: string[]): unknown =>
      validateWith(client(), registered(names), 'client').client?.connect.muxer
    expect(muxer(['direct', 'yamux'])).to.equal('yamux')
    expect(muxer(['direct', 'other'])).to.equal('direct')
    expect(muxer([])).to.equal(undefined)
  })

  it('names what is registered when something is not', async () => {
    const raw = {
      client: { connect: { host: 'h', transport: 'tpc', muxer: 'smux' }, proxies: [{ name: 'a', kind: 'udp' }] }
    }
    const error = await refusal('config.invalid', () =>
      validateWith(validateBase(raw), registered(), 'client', { file: 'f.toml' })
    )
    expect(problemAt(error, 'client.connect.transport')).to.deep.equal({
      path: 'client.connect.transport',
      value: '"tpc"',
      expected: 'a registered transport; registered: tcp, tls',
      hint: 'did you mean tcp?'
    })
    expect(problemAt(error, 'client.connect.muxer').expected).to.equal('a registered muxer; registered: direct, yamux')
    expect(problemAt(error, 'client.proxies[0].kind').expected).to.equal('a registered kind of proxy; registered: tcp')
    expect(error.message).to.include('f.toml')
    const none = await refusal('config.invalid', () =>
      validateWith(validateBase({ server: { listen: [{ transport: 'quic' }] } }), registered(), 'server')
    )
    expect(problemAt(none, 'server.listen[0].transport').hint).to.equal('add the extension that registers it')
  })

  it('asks the registries about its own half only', () => {
    const raw = { server: { listen: [{ transport: 'quic' }] }, client: { connect: { host: 'h' } } }
    expect(() => validateWith(validateBase(raw), registered(), 'client')).to.not.throw()
    const other = { server: {}, client: { connect: { host: 'h', transport: 'quic' } } }
    expect(() => validateWith(validateBase(other), registered(), 'server')).to.not.throw()
  })

  it('leaves a configuration without that half as it is', () => {
    const config = validateBase({})
    expect(validateWith(config, registered(), 'server')).to.equal(config)
    expect(validateWith(config, registered(), 'client')).to.equal(config)
  })

  it('refuses unknown keys, also misspelt common ones, and wrong values, all at once', async () => {
    const config = proxies({ porrt: 1 }, { port: 'x' }, { expresIn: '2h' }, { local: 5 })
    const error = await refusal('config.invalid', () => validateWith(config, registered(), 'client'))
    expect(problemAt(error, 'client.proxies[0].porrt').hint).to.equal('did you mean port?')
    expect(problemAt(error, 'client.proxies[1].port').expected).to.include('a whole number from 0 to 65535 or text')
    expect(problemAt(error, 'client.proxies[2].expresIn').hint).to.equal('did you mean expiresIn?')
    expect(problemAt(error, 'client.proxies[3].local').value).to.equal('5')
    expect(error.problems).to.have.length(4)
  })

  it('refuses every further field where a transport has none', async () => {
    const config = validateBase({ server: { listen: [{ transport: 'tcp', cert: 'x' }] } })
    problemAt(
      await refusal('config.invalid', () => validateWith(config, registered(), 'server')),
      'server.listen[0].cert'
    )
  })

  it('reads variables as numbers where a kind expects one', () => {
    const raw = {
      client: { connect: { host: 'h' }, proxies: [{ name: 'a', kind: 'tcp', local: 'x', port: '${P}', tries: '${T}' }] }
    }
    const config = validateBase(substitute(raw, { P: '20022', T: '5' }))
    const [first] = validateWith(config, registered(), 'client').client?.proxies ?? []
    expect([first?.port, first?.tries]).to.deep.equal([20_022, 5])
  })

  it('shows no secrets of transports', async () => {
    const config = validateBase({ server: { listen: [{ transport: 'tls', key: 12_345_678 }] } })
    const error = await refusal('config.invalid', () => validateWith(config, registered(), 'server'))
    expect(problemAt(error, 'server.listen[0].key').value).to.equal('[redacted]')
  })

  it('shows no user and no password of a URL, however that is misspelt', async () => {
    const proxy = Type.String({ title: 'the address of a proxy', pattern: '^http://' })
    const base = registered()
    const dialing: Registered = {
      ...base,
      transports: {
        ...base.transports,
        has: () => true,
        get: () => ({ name: 'tcp', dialOptions: Type.Object({ proxy }) })
      }
    } as unknown as Registered
    for (const [written, shown] of [
      ['htp://ann:s3cret@proxy:1', '"htp://[redacted]@proxy:1"'],
      ['ann:s3c@ret@proxy:1', '"[redacted]@proxy:1"'],
      ['ftp://s3cret@proxy', '"ftp://[redacted]@proxy"'],
      ['proxy:3128', '"proxy:3128"'],
      ['me@proxy', '"me@proxy"']
    ] as const) {
      const config = validateBase({ client: { connect: { host: 'h', proxy: written } } })
      const error = await refusal('config.invalid', () => validateWith(config, dialing, 'client'))
      expect(problemAt(error, 'client.connect.proxy')).to.deep.include({
        value: shown,
        expected: 'the address of a proxy'
      })
      expect(error.message).not.to.contain('s3c')
    }
  })

  it('understands unions, intersections, records and literals in what extensions ask for', async () => {
    const spec = Type.Intersect([
      Type.Object({
        target: Type.Union([
          Type.Object({ unix: Type.String() }),
          Type.Object({ host: Type.String(), port: Type.Integer() })
        ])
      }),
      Type.Object({
        headers: Type.Optional(Type.Record(Type.String(), Type.String())),
        mode: Type.Optional(Type.Literal('fast'))
      })
    ])
    const base = registered()
    const with2: Registered = { ...base, proxies: { ...base.proxies, has: () => true, get: () => kind('tcp', spec) } }
    const check = (more: object): unknown => {
      const config = client({ proxies: [{ name: 'a', kind: 'tcp', ...more }] })
      return validateWith(config, with2, 'client').client?.proxies[0]
    }
    const good = { target: { host: 'h', port: 1 }, headers: { 'x-a': 'b' }, mode: 'fast' }
    expect(check(good)).to.deep.equal({ name: 'a', kind: 'tcp', ...good })
    expect(check({ target: { unix: '/s' } })).to.deep.equal({ name: 'a', kind: 'tcp', target: { unix: '/s' } })
    const bad = await refusal('config.invalid', () =>
      check({ target: { host: 'h', port: 'x' }, headers: { a: 1 }, mode: 'slow', more: 1 })
    )
    expect(bad.problems.map(({ path }) => path.replace('client.proxies[0].', ''))).to.have.members([
      'target.port',
      'headers.a',
      'mode',
      'more'
    ])
  })

  it('lets the parts of a composition have fields of their own', async () => {
    const spec = Type.Intersect([
      Type.Object({ socket: Type.String() }),
      Type.Union([
        Type.Object({ host: Type.String(), tls: Type.Boolean({ default: false }) }),
        Type.Object({ port: Type.Integer() })
      ])
    ])
    const base = registered()
    const composed: Registered = { ...base, proxies: { ...base.proxies, get: () => kind('tcp', spec) } }
    const check = (more: object): unknown =>
      validateWith(client({ proxies: [{ name: 'a', kind: 'tcp', ...more }] }), composed, 'client').client?.proxies[0]
    expect(check({ socket: 's', host: 'h' })).to.deep.equal({
      name: 'a',
      kind: 'tcp',
      socket: 's',
      host: 'h',
      tls: false
    })
    expect(check({ socket: 's', port: 1 })).to.deep.equal({ name: 'a', kind: 'tcp', socket: 's', port: 1 })
    const error = await refusal('config.invalid', () => check({ socket: 's', port: 1, more: 1 }))
    expect(error.problems.map(({ path }) => path)).to.include('client.proxies[0].more')
  })

  it('does not share the defaults of extensions between two configurations', () => {
    const spec = Type.Object({ tags: Type.Unknown({ default: { a: 1 } }) })
    const base = registered()
    const tagged: Registered = { ...base, proxies: { ...base.proxies, get: () => kind('tcp', spec) } }
    const tags = (): unknown =>
      validateWith(client({ proxies: [{ name: 'a', kind: 'tcp' }] }), tagged, 'client').client?.proxies[0]?.tags
    ;(tags() as { a: number }).a = 2
    expect(tags()).to.deep.equal({ a: 1 })
  })
})
