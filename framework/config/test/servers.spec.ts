import { expect } from 'chai'
import { jsonSchema, validateBase, validateWith } from '../src/index.js'
import { refusal } from './refusal.js'
import { registered } from './registered.js'

const connectOf = (connect: object) => validateBase({ client: { connect } as never }).client?.connect
const withTls = (connect: object) =>
  validateWith(validateBase({ client: { connect: { transport: 'tls', ...connect } } as never }), registered(), 'client')

describe('several servers in client.connect', () => {
  it('are text or objects, with IPv6 in brackets, and may be given again', () => {
    const servers = ['a.example.net', 'b.example.net:7001', '[2001:db8::1]:443', { host: '::1', verify: false }]
    const read = connectOf({ servers })
    expect(read?.servers).to.deep.equal([
      { host: 'a.example.net' },
      { host: 'b.example.net', port: 7001 },
      { host: '2001:db8::1', port: 443 },
      { host: '::1', verify: false }
    ])
    const once = withTls({ servers })
    expect(validateWith(validateBase(once), registered(), 'client')).to.deep.equal(once)
    expect(once.client?.connect.servers?.[3]).to.deep.equal({ host: '::1', verify: false })
  })

  it('are refused with the path of the entry', async () => {
    const servers = [
      '::1:7000',
      'tls://a',
      'a:0',
      12,
      { port: 1 },
      { host: 'a', transport: 'tcp' },
      'ok',
      { host: 'b', port: 0 }
    ]
    const { problems } = await refusal('config.invalid', () => connectOf({ servers }))
    expect(problems.map(({ path, expected }) => `${path}: ${expected}`)).to.deep.equal([
      'client.connect.servers[0]: [::1]:7000, with brackets around the IPv6 address, or [::1:7000] for the address alone',
      'client.connect.servers[1]: a, without tls://',
      'client.connect.servers[2]: a port from 1 to 65535',
      'client.connect.servers[3]: host[:port], or { host, port, … } with fields of the transport',
      'client.connect.servers[4]: a host name or an address as `host`',
      'client.connect.servers[5]: no `transport`, which client.connect has for all servers',
      'client.connect.servers[7]: a port from 1 to 65535 as `port`'
    ])
  })

  it('are one address each, and the only way to say where the server is', async () => {
    const twice = await refusal('config.invalid', () => connectOf({ servers: ['a', 'A:7000', 'b'] }))
    expect(twice.problems.map(({ path }) => path)).to.deep.equal(['client.connect.servers[1]'])
    for (const [connect, path] of [
      [{ host: 'a', servers: ['b'] }, 'client.connect.host'],
      [{ servers: ['b'], srv: '_rystra._tcp.example.net' }, 'client.connect.servers'],
      [{ srv: '_rystra._tcp.example.net', discover: 'office' }, 'client.connect.srv'],
      [{}, 'client.connect.host'],
      [{ servers: [] }, 'client.connect.servers'],
      [{ srv: 'example.net' }, 'client.connect.srv'],
      [{ srv: '_rystra._sctp.example.net' }, 'client.connect.srv']
    ] as const) {
      const { problems } = await refusal('config.invalid', () => connectOf(connect))
      expect(
        problems.map((problem) => problem.path),
        JSON.stringify(connect)
      ).to.deep.equal([path])
    }
    expect(connectOf({ srv: '_rystra._tcp.example.net' })).to.include({ srv: '_rystra._tcp.example.net' })
  })

  it('may have fields of the transport of their own, and what is wrong for all is told once', async () => {
    const own = await refusal('config.invalid', () => withTls({ servers: ['a', { host: 'b', verify: 'no', pin: 1 }] }))
    expect(own.problems.map(({ path }) => path)).to.have.members([
      'client.connect.servers[1].verify',
      'client.connect.servers[1].pin'
    ])
    const common = await refusal('config.invalid', () => withTls({ verify: 'no', servers: ['a', 'b'] }))
    expect(common.problems.map(({ path }) => path)).to.deep.equal(['client.connect.verify'])
  })

  it('are counted by client.redundancy from 1 to 8', async () => {
    const client = (redundancy: unknown) => () =>
      validateBase({ client: { connect: { servers: ['a', 'b'] }, redundancy } as never }).client?.redundancy
    expect(client(2)()).to.equal(2)
    for (const wrong of [0, 9, 1.5, 'two']) {
      const { problems } = await refusal('config.invalid', client(wrong))
      expect(problems.map(({ path }) => path)).to.deep.equal(['client.redundancy'])
    }
  })

  it('are one of four ways in the JSON Schema', () => {
    const { properties } = jsonSchema([]) as unknown as { properties: { client: { properties: { connect: unknown } } } }
    expect(JSON.stringify(properties.client.properties.connect)).to.contain('"required":["servers"]')
  })
})
