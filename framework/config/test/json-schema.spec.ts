import { Ajv } from 'ajv'
import { expect } from 'chai'
import { type TSchema, Type, defineExtension } from '@rystra/plugin'
import { type JsonSchema, jsonSchema } from '../src/index.js'
import type { Registered } from '../src/registered.js'
import { authToken, kind, officeHours, registered } from './registered.js'

const validator = (schema: JsonSchema): ((config: unknown) => string) => {
  const validate = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true }).compile(schema)
  return (config) =>
    validate(config) ? '' : JSON.stringify(validate.errors?.map((e) => `${e.instancePath} ${e.message}`))
}

const needsOptions = defineExtension({ name: 'audit', options: Type.Object({ file: Type.String() }), setup: () => {} })
const whole = validator(jsonSchema([officeHours, authToken, needsOptions], registered()))

const client = (more: object = {}): object => ({ client: { connect: { host: 'h' }, ...more } })
const proxy = (more: object): object =>
  client({ proxies: [{ name: 'a', kind: 'tcp', local: '127.0.0.1:22', ...more }] })
const uses = (use: string, options?: object): object => ({
  extensions: [options === undefined ? { use } : { use, options }]
})

describe('the JSON Schema', () => {
  const good: [string, unknown][] = [
    ['nothing', {}],
    ['where it is itself', { $schema: './rystra.schema.json' }],
    [
      'the example of the documentation',
      {
        extensions: [
          '@rystra/transport-tcp',
          { use: '@rystra/auth-token', options: { tokens: [{ identity: 'home', token: '${RYSTRA_TOKEN}' }] } },
          { use: './hooks/office-hours.ts', options: { from: 9, to: 17 } }
        ],
        log: { level: 'info' },
        server: {
          listen: [{ transport: 'tcp', host: '0.0.0.0', port: 7000 }],
          publish: { host: '0.0.0.0', ports: ['20000-29999'] }
        },
        client: {
          id: 'home-nas',
          connect: { transport: 'tcp', host: 'tunnel.example.org', port: 7000, muxer: 'yamux' },
          proxies: [{ name: 'ssh', kind: 'tcp', local: '127.0.0.1:22', port: 20022 }]
        }
      }
    ],
    ['durations', { server: { drain: '5s', handshakeTimeout: 250, heartbeat: { interval: '1.5m', timeout: '1h' } } }],
    ['ports', { server: { publish: { ports: [1, '2', '3-4', { from: 5, to: 6 }] } } }],
    [
      'variables',
      {
        log: { level: '${L:-info}', pretty: '${P}' },
        server: { listen: [{ port: '${P}', transport: '${T}' }], drain: '${D}' }
      }
    ],
    ['variables in what others add', proxy({ port: '${P}', tries: '${T:-3}' })],
    [
      'what a transport adds',
      {
        server: { listen: [{ transport: 'tls', key: 'k' }] },
        ...client({ connect: { host: 'h', transport: 'tls', verify: false } })
      }
    ],
    ['what all proxies have', proxy({ expiresIn: '2h', proxyProtocol: 'v2' })],
    ['options left to their defaults', uses('./office-hours.js', {})],
    ['an extension that it does not know', uses('@acme/other', { any: 1 })],
    ['attempts', client({ reconnect: { attempts: 'forever' } })]
  ]
  for (const [what, config] of good) it(`accepts ${what}`, () => expect(whole(config)).to.equal(''))

  const bad: [string, unknown, path: string][] = [
    ['an unknown key', { sever: {} }, ' must NOT have additional'],
    ['an unknown key deep inside', { server: { limits: { session: 1 } } }, '/server/limits'],
    ['an unknown level', { log: { level: 'loud' } }, '/log/level'],
    ['a port as text', { server: { listen: [{ port: '7000' }] } }, '/server/listen/0/port'],
    ['malformed ports', { server: { publish: { ports: ['a-b'] } } }, '/server/publish/ports/0'],
    ['a duration without unit', { server: { drain: '5' } }, '/server/drain'],
    ['no host', { client: { connect: {} } }, '/client/connect'],
    ['an unknown transport', client({ connect: { host: 'h', transport: 'qiuc' } }), '/client/connect/transport'],
    ['an unknown muxer', client({ connect: { host: 'h', muxer: 'smux' } }), '/client/connect/muxer'],
    ['an unknown kind', proxy({ kind: 'udp' }), '/client/proxies/0/kind'],
    [
      'a field that the transport does not have',
      { server: { listen: [{ transport: 'tcp', key: 'k' }] } },
      '/server/listen/0'
    ],
    ['a field that the usual transport does not have', { server: { listen: [{ key: 'k' }] } }, '/server/listen/0'],
    ['a missing field of the transport', { server: { listen: [{ transport: 'tls' }] } }, '/server/listen/0'],
    ['a missing field of the kind', client({ proxies: [{ name: 'a', kind: 'tcp' }] }), '/client/proxies/0'],
    ['an unknown field of the kind', proxy({ porrt: 1 }), '/client/proxies/0'],
    ['a wrong field of the kind', proxy({ port: -1 }), '/client/proxies/0/port'],
    ['a wrong option', uses('./hooks/office-hours.ts', { from: 'nine' }), '/extensions/0/options/from'],
    ['an unknown option', uses('@rystra/office-hours', { form: 9 }), '/extensions/0/options'],
    [
      'an unknown option deep inside',
      uses('@acme/auth-token', { tokens: [{ identity: 'a', token: 'b', x: 1 }] }),
      '/extensions/0/options/tokens/0'
    ],
    ['an option that is too short', uses('auth-token', { token: 'short' }), '/extensions/0/options/token'],
    ['options left out that are needed', uses('@rystra/audit'), '/extensions/0'],
    [
      'a number for an option that is not read from text',
      uses('office-hours', { from: '${FROM}' }),
      '/extensions/0/options/from'
    ],
    ['another key beside use', { extensions: [{ use: 'x', option: {} }] }, '/extensions/0']
  ]
  for (const [what, config, path] of bad) it(`refuses ${what}`, () => expect(whole(config)).to.include(path))

  it('knows an extension by the name the configuration uses, if it is reported', () => {
    const reported = validator(jsonSchema([{ use: './mine.ts', extension: officeHours }]))
    expect(reported(uses('./mine.ts', { from: 'x' }))).to.include('/options/from')
    expect(reported(uses('./office-hours.ts', { from: 'x' }))).to.equal('')
  })

  it('does not take one extension for another whose name ends alike', () => {
    expect(whole(uses('@acme/after-office-hours-x', { from: 'x' }))).to.equal('')
    expect(whole(uses('@acme/xauth-token', { token: 1 }))).to.equal('')
  })

  it('leaves open what it is not reported', () => {
    const open = validator(jsonSchema())
    expect(open({ server: { listen: [{ transport: 'any', thing: 1 }] }, ...proxy({ kind: 'udp', more: 1 }) })).to.equal(
      ''
    )
    expect(open({ server: { listen: [{ port: -1 }] } })).to.include('/port')
  })

  it('takes the names of several registries together', () => {
    const both = validator(
      jsonSchema([], { ...registered(['direct']), transports: registered().transports }, registered(['yamux']))
    )
    for (const muxer of ['direct', 'yamux']) expect(both(client({ connect: { host: 'h', muxer } })), muxer).to.equal('')
  })

  it('understands alternatives and compositions in what extensions ask for', () => {
    const unix = Type.Object({ socket: Type.String() })
    const host = Type.Object({ host: Type.String(), tls: Type.Boolean({ default: false }) })
    const of = (spec: TSchema): ((more: object) => string) => {
      const validate = validator(
        jsonSchema([], { ...registered(), proxies: { ...registered().proxies, get: () => kind('tcp', spec) } })
      )
      return (more) => validate(client({ proxies: [{ name: 'a', kind: 'tcp', ...more }] }))
    }
    const union = of(Type.Union([unix, host]))
    expect([union({ socket: 's' }), union({ host: 'h', expiresIn: '2h' })]).to.deep.equal(['', ''])
    expect(union({ socket: 's', host: 'h' })).to.include('/client/proxies/0')
    const both = of(Type.Intersect([unix, host]))
    expect(both({ socket: 's', host: 'h' })).to.equal('')
    expect(both({ socket: 's', host: 'h', more: 1 })).to.include('additional')
    const mixed = of(Type.Intersect([unix, Type.Union([host, Type.Object({ port: Type.Integer() })])]))
    expect(mixed({ socket: 's', host: 'h' })).to.equal('')
    expect(mixed({ socket: 's' })).to.include('/client/proxies/0')
  })

  it('stays valid where nothing is registered', () => {
    const empty = registered([])
    const nothing = { ...empty.muxers, list: () => [] }
    const bare = validator(
      jsonSchema([], { transports: nothing, muxers: nothing, proxies: nothing } as unknown as Registered)
    )
    expect(bare(client())).to.equal('')
  })

  it('is plain JSON with descriptions and defaults for editors', () => {
    const schema = jsonSchema([officeHours], registered())
    expect(JSON.parse(JSON.stringify(schema))).to.deep.equal(schema)
    type Part = { properties: Record<string, Part>; description?: string; default?: unknown }
    const server = (schema as unknown as Part).properties.server
    expect(server?.properties.drain?.description).to.match(/streams/)
    expect(server?.properties.drain?.default).to.equal(10_000)
    expect((schema as unknown as Part).properties.client?.properties.connect?.properties.muxer?.default).to.equal(
      'yamux'
    )
  })
})
