import { expect } from 'chai'
import { type RystraConfig, defineConfig, validateBase } from '../src/index.js'
import { defaultClientId } from '../src/validate.js'
import { officeHours } from './registered.js'
import { problemAt, refusal } from './refusal.js'

const client = (more: object): unknown => ({ client: { connect: { host: 'h' }, ...more } })
const proxy = (more: object): unknown => client({ proxies: [{ name: 'a', kind: 'tcp', ...more }] })

describe('validation without extensions', () => {
  it('finds ports that cannot be had together also where something else is wrong', async () => {
    const tcp = (name: string, port: unknown) => ({ name, kind: 'tcp', port })
    const raw = {
      server: { listen: [{ port: 7000 }, { port: 7000 }, 12] },
      client: {
        connect: { host: '127.0.0.1', port: 7000 },
        proxies: [tcp('a', 7000), tcp('b', '8000-8010'), tcp('c', 8005), { ...tcp('d', 8005), kind: 'udp' }, 'no'],
        forwards: [
          { name: 'x', kind: 'private', of: 'a', bind: 7000 },
          { name: 'y', kind: 'private', of: 'a', bind: '127.0.0.1:8010' },
          { name: 'z', kind: 'private', of: 'a', bind: '127.0.0.1:9000' }
        ]
      }
    }
    const { problems } = await refusal('config.invalid', () => validateBase(raw))
    expect(problems.map(({ path, expected }) => `${path}: ${expected.split(', expiresIn')[0]}`)).to.have.members([
      'server.listen[2]: an object with transport, host, port, address, proxyProtocolFrom',
      'server.listen[1]: an address that no other entry has: there is tcp 0.0.0.0:7000',
      'client.proxies[4]: an object with name, kind',
      'client.proxies[0].port: a port that is free on this machine: server.listen has tcp 0.0.0.0:7000',
      'client.proxies[2].port: a port that no other proxy of kind tcp has: b has it',
      'client.forwards[0].bind: a port that is free on this machine: server.listen has tcp 0.0.0.0:7000',
      'client.forwards[1].bind: a port that is free on this machine: client.proxies[1] publishes it'
    ])
    const remote = { ...raw.client, connect: { host: 'tunnel.example.org' } }
    const others = await refusal('config.invalid', () => validateBase({ ...raw, client: remote }))
    expect(others.problems.filter(({ expected }) => expected.includes('this machine'))).to.deep.equal([])
  })

  it('lets entries of a kind that binds no port name the same one', () => {
    const visited = (name: string) => ({ name, kind: 'private', port: 22 })
    validateBase(client({ proxies: [visited('a'), visited('b')] }))
  })

  it('fills in every default of a server', () => {
    expect(validateBase({ server: {} })).to.deep.equal({
      extensions: [],
      log: { level: 'info' },
      server: {
        listen: [{ transport: 'tcp', host: '0.0.0.0', port: 7000 }],
        publish: { host: '0.0.0.0', ports: [{ from: 20_000, to: 29_999 }] },
        heartbeat: { interval: 15_000, timeout: 45_000 },
        handshakeTimeout: 10_000,
        takeoverTimeout: 2000,
        drain: 10_000,
        limits: {
          sessions: 10_000,
          handshakes: 1024,
          proxiesPerSession: 256,
          streamsPerSession: 16_384,
          channelsPerSession: 4096
        }
      }
    })
  })

  it('fills in every default of a client', () => {
    expect(validateBase({ client: { connect: { host: 'h' } } }, { dir: '/somewhere' })).to.deep.equal({
      extensions: [],
      log: { level: 'info' },
      client: {
        id: defaultClientId('/somewhere'),
        connect: { transport: 'tcp', host: 'h', port: 7000 },
        proxies: [],
        forwards: [],
        accept: { hosts: [], ports: [], kinds: [], max: 64 },
        reconnect: { min: 250, max: 30_000, attempts: Number.POSITIVE_INFINITY },
        redundancy: 1,
        drain: 10_000
      }
    })
  })

  it('reads client.visitors as client.forwards, and warns of the old name', async () => {
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
    const entry = { name: 'db', kind: 'private' }
    const { client } = validateBase({ client: { connect: { host: 'h' }, visitors: [entry] } })
    expect(client?.forwards).to.deep.equal([entry])
    expect((await warned).message).to.include('client.forwards')
    const both = { client: { connect: { host: 'h' }, visitors: [entry], forwards: [entry] } }
    expect(() => validateBase(both)).to.throw('client.visitors')
  })

  it('makes no halves that were not written', () => {
    expect(validateBase({})).to.deep.equal({ extensions: [], log: { level: 'info' } })
  })

  it('does not share defaults between two configurations', () => {
    const one = validateBase({ server: {} })
    ;(one.server?.limits as { sessions: number }).sessions = 1
    ;((one.server?.listen ?? []) as object[]).push({})
    expect(validateBase({ server: {} }).server?.limits.sessions).to.equal(10_000)
    expect(validateBase({ server: {} }).server?.listen).to.have.length(1)
  })

  it('may be given what it returned, and does not change what it is given', () => {
    const raw = defineConfig({
      server: { publish: { ports: ['1-5', 3] }, drain: '2s', heartbeat: { interval: '1s', timeout: '3s' } },
      client: {
        connect: { host: 'h', sni: 'x' },
        proxies: [{ name: 'a', kind: 'tcp', local: '1', expiresIn: '2h', proxyProtocol: 'v2' }],
        reconnect: { attempts: 'forever' }
      }
    })
    const copy = structuredClone(raw)
    const once = validateBase(raw)
    expect(raw).to.deep.equal(copy)
    expect(validateBase(once)).to.deep.equal(once)
  })

  it('reads durations', () => {
    const { server } = validateBase({
      server: { drain: '1.5s', handshakeTimeout: 500, heartbeat: { interval: '10s' } }
    })
    expect([server?.drain, server?.handshakeTimeout, server?.heartbeat.interval]).to.deep.equal([1500, 500, 10_000])
  })

  it('leaves open what transports and kinds of proxies add', () => {
    const config = validateBase({
      server: { listen: [{ transport: 'tls', cert: { file: 'x' } }] },
      client: {
        connect: { host: 'h', sni: 'y' },
        proxies: [{ name: 'a', kind: 'tcp', local: '127.0.0.1:1', expiresIn: '2h' }]
      }
    })
    expect(config.server?.listen[0]).to.deep.equal({
      transport: 'tls',
      host: '0.0.0.0',
      port: 7000,
      cert: { file: 'x' }
    })
    expect(config.client?.connect.sni).to.equal('y')
    expect(config.client?.proxies).to.deep.equal([
      { name: 'a', kind: 'tcp', local: '127.0.0.1:1', expiresIn: 7_200_000 }
    ])
  })

  it('takes extensions as text, as objects, and in code as themselves', () => {
    const extensions: RystraConfig['extensions'] = [
      '@rystra/transport-tcp',
      './hooks/mine.ts',
      { use: './a.js', name: 'second', options: { any: { thing: [1] } } },
      officeHours,
      officeHours({ from: 8 }),
      { use: officeHours, options: { to: 12 } }
    ]
    expect(validateBase({ extensions }).extensions).to.deep.equal(extensions)
  })

  it('keeps what code puts into the options of an extension', () => {
    const store = new Map()
    const call = (): void => {}
    const { extensions } = validateBase({ extensions: [{ use: 'x', options: { store, call } }] })
    expect((extensions[0] as { options: { store: unknown } }).options).to.deep.equal({ store, call })
    expect((extensions[0] as { options: { store: unknown } }).options.store).to.equal(store)
  })

  const refused: [string, unknown, path: string, expected: RegExp, value?: string][] = [
    ['no object', 5, '', /extensions, log, server, client/, '5'],
    ['null', null, '', /object/, 'null'],
    ['a list', [], '', /object/, 'a list of 0'],
    ['an unknown key', { sever: {} }, 'sever', /server/, 'an unknown key'],
    ['an unknown key deep inside', { server: { limits: { session: 1 } } }, 'server.limits.session', /sessions/],
    ['an unknown level', { log: { level: 'loud' } }, 'log.level', /"trace".*or "silent"/, '"loud"'],
    ['text for a boolean', { log: { pretty: 'true' } }, 'log.pretty', /true or false/, '"true"'],
    ['no listeners', { server: { listen: [] } }, 'server.listen', /from 1 to 64 entries/],
    ['one listener without its list', { server: { listen: { port: 1 } } }, 'server.listen', /a list/, 'an object'],
    ['a port too high', { server: { listen: [{ port: 65_536 }] } }, 'server.listen[0].port', /0 to 65535/, '65536'],
    ['half a port', { server: { listen: [{ port: 1.5 }] } }, 'server.listen[0].port', /whole number/],
    ['a host with a path', { server: { listen: [{ host: 'a/b' }] } }, 'server.listen[0].host', /host name/],
    ['the same address twice', { server: { listen: [{ port: 5 }, { port: 5 }] } }, 'server.listen[1]', /no other/],
    [
      'the same address twice, its name written in two ways',
      {
        server: {
          listen: [
            { host: 'Localhost', port: 5 },
            { host: 'localhost', port: 5 }
          ]
        }
      },
      'server.listen[1]',
      /no other entry has/
    ],
    ['ports that go down', { server: { publish: { ports: ['9-1'] } } }, 'server.publish.ports', /'1-9'/],
    ['a duration without a unit', { server: { drain: '5' } }, 'server.drain', /duration/, '"5"'],
    ['a timeout of nothing', { server: { handshakeTimeout: 0 } }, 'server.handshakeTimeout', /from 100 ms/],
    [
      'a timeout within the interval',
      { server: { heartbeat: { interval: '50s' } } },
      'server.heartbeat.timeout',
      /more than.*50000/
    ],
    ['no server to connect to', { client: {} }, 'client.connect', /object with/, 'nothing'],
    ['no host to connect to', { client: { connect: {} } }, 'client.connect.host', /host name/, 'nothing'],
    [
      'a host beside a name to discover',
      client({ connect: { host: 'h', discover: 'home' } }),
      'client.connect.host',
      /no host/
    ],
    ['port 0 to connect to', client({ connect: { host: 'h', port: 0 } }), 'client.connect.port', /1 to 65535/],
    ['an id with a line break', client({ id: 'a\nb' }), 'client.id', /1 to 128/],
    [
      'a longest delay below the first',
      client({ reconnect: { min: '1m' } }),
      'client.reconnect.max',
      /no less than.*60000/
    ],
    ['attempts below none', client({ reconnect: { attempts: -1 } }), 'client.reconnect.attempts', /forever/],
    ['a proxy without a name', client({ proxies: [{ kind: 'tcp' }] }), 'client.proxies[0].name', /1 to 128/, 'nothing'],
    ['a proxy without a kind', client({ proxies: [{ name: 'a' }] }), 'client.proxies[0].kind', /1 to 128/],
    ['a name that is too long', proxy({ name: 'a'.repeat(129) }), 'client.proxies[0].name', /1 to 128/],
    [
      'another PROXY protocol',
      proxy({ proxyProtocol: 'v3' }),
      'client.proxies[0].proxyProtocol',
      /"v1" or "v2"/,
      '"v3"'
    ],
    ['a proxy that expires at once', proxy({ expiresIn: 5 }), 'client.proxies[0].expiresIn', /from 1000 ms/],
    [
      'the same name twice',
      client({
        proxies: [
          { name: 'a', kind: 'x' },
          { name: 'a', kind: 'y' }
        ]
      }),
      'client.proxies[1].name',
      /no other/
    ],
    ['an extension that is a number', { extensions: [7] }, 'extensions[0]', /package name/],
    ['an extension without a name', { extensions: [' '] }, 'extensions[0]', /package name/],
    ['an extension without use', { extensions: [{ options: {} }] }, 'extensions[0]', /package name/],
    ['an extension with other keys', { extensions: [{ use: 'x', option: {} }] }, 'extensions[0]', /use, name, options/],
    ['a function that is no extension', { extensions: [() => {}] }, 'extensions[0]', /package name/, 'a function']
  ]
  for (const [what, raw, path, expected, value] of refused)
    it(`refuses ${what}`, async () => {
      const problem = problemAt(await refusal('config.invalid', () => validateBase(raw)), path)
      expect(problem.expected).to.match(expected)
      if (value !== undefined) expect(problem.value).to.equal(value)
    })

  it('reports everything that is wrong at once', async () => {
    const raw = { log: 5, sever: 1, server: { drian: 1, listen: [{ port: 'x' }] }, client: { proxies: [{}] } }
    const error = await refusal('config.invalid', () => validateBase(raw, { file: 'some.yaml' }))
    expect(error.problems.map(({ path }) => path)).to.have.members([
      'log',
      'sever',
      'server.drian',
      'server.listen[0].port',
      'client.connect',
      'client.proxies[0].name',
      'client.proxies[0].kind'
    ])
    expect(error.message).to.include('some.yaml').and.to.include('server.drian: unknown key; did you mean drain?')
    expect(error.exitCode).to.equal(2)
  })

  it('guesses what was meant, and does not where nothing is near', async () => {
    const error = await refusal('config.invalid', () => validateBase({ sevrer: {}, wholly: 1, log: { level: 'wran' } }))
    expect(problemAt(error, 'sevrer').hint).to.equal('did you mean server?')
    expect(problemAt(error, 'log.level').hint).to.equal('did you mean warn?')
    expect(problemAt(error, 'wholly').hint).to.equal(undefined)
    expect(error.message).to.include('wholly: unknown key; known here: one of $schema, extensions, log, server, client')
  })

  it('shows no secrets, and no values of unknown keys', async () => {
    const secret = 'hunter2-hunter2'
    const raw = {
      toke: secret,
      server: { password: secret, auth: { x: secret } },
      client: { token: secret, connect: { host: 'h' } }
    }
    const error = await refusal('config.invalid', () => validateBase(raw))
    expect(JSON.stringify(error.problems) + error.message + String(error.stack)).to.not.include(secret)
  })

  it('gives a client the same id each time, and another one in another folder', () => {
    expect(defaultClientId('/a')).to.equal(defaultClientId('/a/'))
    expect(defaultClientId('/a')).to.not.equal(defaultClientId('/b'))
    expect(validateBase(client({ id: defaultClientId('/a') })).client?.id).to.equal(defaultClientId('/a'))
  })
})
