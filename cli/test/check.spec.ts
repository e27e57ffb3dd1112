import { expect } from 'chai'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { schemaOf } from '../src/check.js'
import { knownPackages } from '../src/preset.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders } from './folder.js'

const valid = `extensions:
  - use: '@rystra/auth-token'
    options: { token: t }
server: { listen: [{ transport: tcp, port: 0 }] }
`

describe('check', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  const check = async (text: string, more: Record<string, string> = {}, env: NodeJS.ProcessEnv = {}) => {
    const cwd = folders.make({ 'rystra.config.yaml': text, ...more })
    const { code, out, err } = await rystra(['check', '--json'], { cwd, env })
    expect(err).not.to.match(/^\s+at /m)
    return {
      code,
      ...(JSON.parse(out) as {
        error?: {
          code: string
          message: string
          hint: string
          problems?: { path: string; value: string; expected: string }[]
        }
      })
    }
  }

  it('says that a valid configuration is, and what it would run', async () => {
    const cwd = folders.make({ 'rystra.config.yaml': valid })
    const { code, out } = await rystra(['check'], { cwd })
    expect(code).to.equal(0)
    expect(out).to.include('is valid').and.include('server: listens on tcp://0.0.0.0:0; 5 extensions')
  })

  it('tells unknown keys and wrong types all at once: path, value, what was expected', async () => {
    const { code, error } = await check(`${valid.replace('port: 0', 'port: seven')}
client: { connect: { host: x, prot: 1 }, proxies: [{ name: a, kind: tcp }] }
logg: {}
`)
    expect(code).to.equal(2)
    expect(error?.code).to.equal('config.invalid')
    const at = Object.fromEntries((error?.problems ?? []).map((problem) => [problem.path, problem]))
    expect(at['server.listen[0].port']).to.include({ value: '"seven"' })
    expect(at['server.listen[0].port']?.expected).to.match(/whole number from 0 to 65535/)
    expect(at['logg']?.value).to.equal('an unknown key')
  })

  it('tells addresses that no extension could use, with what was expected and without what may be secret', async () => {
    for (const [use, options, expected] of [
      [
        'cluster-redis',
        { url: 'localhost:6379' },
        'cluster-redis: url: expected a URL such as redis://host:6379, with redis://'
      ],
      ['cluster-redis', { url: ['redis://h', 'redis://:hidden@h:99999'] }, 'a port from 1 to 65535'],
      [
        'hook-notify',
        { targets: [{ webhook: 'https://[::1/x' }] },
        'hook-notify: webhook: expected a URL such as https://'
      ],
      ['observe-prometheus', { listen: { host: '127.0.0.1:9464' } }, 'the port is an option of its own'],
      ['proxy-http', { trustedProxies: ['10.0.0.0/33'] }, 'proxy-http: trustedProxies: "10.0.0.0/33" is neither']
    ] as const) {
      const entry = `  - ${JSON.stringify({ use: `@rystra/${use}`, options })}\n`
      const { code, error } = await check(valid.replace('server:', `${entry}server:`))
      const text = JSON.stringify(error)
      expect(text, use).to.include(JSON.stringify(expected).slice(1, -1)).and.not.include('hidden')
      expect(code, use).to.be.greaterThan(0)
    }
  })

  it('tells an address of a fallback that has no such port', async () => {
    const { code, error } = await check(
      valid
        .replace('transport: tcp', 'transport: ws, fallback: "http://h:99999"')
        .replace('server:', "  - '@rystra/transport-ws'\nserver:")
    )
    expect(error?.problems?.[0]).to.deep.include({ path: 'server.listen[0].fallback' })
    expect(error?.problems?.[0]?.expected).to.include('a port from 1 to 65535')
    expect(code).to.equal(2)
  })

  it('tells files that options and entries name and that cannot be used, and the line of each mistake', async () => {
    const cwd = folders.make({
      'rystra.config.yaml': `extensions:
  - use: '@rystra/auth-token'
    options:
      tokens:
        - { identity: one, file: none.txt }
        - identity: two
          file: two.txt
  - '@rystra/proxy-private'
server: { listen: [{ transport: tcp, port: 0 }] }
client:
  connect: { host: example.org }
  proxies:
    - { name: db, kind: private, local: 1, secretFile: . }
`,
      'two.txt': 'two\nlines'
    })
    const { code, err } = await rystra(['check'], { cwd })
    expect(code).to.equal(2)
    expect(err).to.include(
      'tokens[0].file: expected a file that can be used: there is no such file, got "none.txt" (line 5)'
    )
    expect(err).to.match(/tokens\[1\]\.file: .*several lines.*\(line 7\)/)
    expect(err).to.match(/client\.proxies\[0\]\.secretFile: .*\(line 13\)/)
  })

  it('tells addresses of extensions that something else has', async () => {
    const { code, error } = await check(`extensions:
  - use: '@rystra/auth-token'
    options: { token: a token of some length }
  - use: '@rystra/admin-http'
    options: { listen: [{ port: 7000 }] }
server: { listen: [{ transport: tcp, host: 0.0.0.0, port: 7000 }] }
`)
    expect(code).to.equal(2)
    expect(error?.problems?.map(({ path, value }) => [path, value])).to.deep.equal([
      ['extensions admin-http', '127.0.0.1:7000']
    ])
  })

  it('tells the fields that only extensions know', async () => {
    const { code, error } = await check(`${valid}
client: { connect: { host: x, prot: 1, muxer: yamx }, proxies: [{ name: a, kind: tcp }, { name: b, kind: gopher }] }
`)
    expect(code).to.equal(2)
    expect(error?.problems?.map(({ path }) => path)).to.include.members([
      'client.connect.prot',
      'client.connect.muxer',
      'client.proxies[0].local',
      'client.proxies[1].kind'
    ])
  })

  it('tells mistakes of every kind at once: variables, values, extensions, their options, kinds, ports, certificates', async () => {
    const text = `extensions:
  - { use: '@rystra/auth-token', options: { tokn: t } }
  - rystra-hook-nope
  - ./throws.js
server:
  listen: [{ port: seven }, { transport: tpc }]
  drain: '\${NOT_SET}'
client:
  connect: { host: x, prot: 1 }
  proxies:
    - { name: a, kind: tpc, local: 1 }
    - { name: b, kind: tcp }
`
    const { code, error } = await check(text, { 'throws.js': 'throw new Error("boom")' })
    expect(code).to.equal(2)
    expect(error?.message).to.include('rystra.config.yaml')
    for (const line of [
      'missing environment variable NOT_SET, for server.drain',
      'server.listen[0].port: expected a whole number from 0 to 65535, got "seven"',
      'extensions[0].options.tokn',
      'extensions[1]: an extension cannot be found: rystra-hook-nope is not installed',
      'extensions[2]: an extension failed to load: ./throws.js: boom',
      'server.listen[1].transport: expected a registered transport',
      'client.connect.prot: unknown key',
      'client.proxies[0].kind: expected a registered kind of proxy; registered: tcp, got "tpc"; did you mean tcp?',
      'client.proxies[1].local: expected'
    ])
      expect(error?.message).to.include(line)
    expect(error?.problems?.map(({ path }) => path)).to.include.members(['extensions[1]', 'server.drain'])
  })

  it('names the package to add, and none that does not exist', async () => {
    const text = (transport: string) =>
      `${valid.replace('transport: tcp', `transport: ${transport}`)}\nclient: { connect: { host: x } }\n`
    const known = await check(text('wss'))
    expect(known.error?.message).to.include('add its extension: `rystra plugins:add @rystra/transport-ws`')
    const unknown = await check(text('pigeon'))
    expect(unknown.error?.message).not.to.include('@rystra/')
    const misspelt = await check(`extensions: ['@rystra/transport-tsl']\nserver: {}\n`)
    expect(misspelt.error?.hint).to.equal('there is no such package; did you mean @rystra/transport-tls?')
    const packages = readdirSync(fileURLToPath(new URL('../../extensions', import.meta.url)))
    expect(knownPackages.toSorted()).to.deep.equal(packages.map((name) => `@rystra/${name}`).toSorted())
  })

  it('a misspelt hook is named, with file and line', async () => {
    const { code, error } = await check('extensions: [./x.ts]\nserver: {}\n', {
      'x.ts': `import { defineExtension } from '@rystra/plugin'
export default defineExtension({
  name: 'mine',
  setup({ hooks }) {
    (hooks as any).onOpenSteam.tap(() => undefined)
  }
})`
    })
    expect(code).to.equal(3)
    expect(error?.message).to.match(/there is no hook onOpenSteam; did you mean "onOpenStream"\? \(.*\/x\.ts:5:\d+\)$/)
  })

  it('finds what cannot work together: one port twice, in ranges, on all addresses', async () => {
    const { error } = await check(`${valid.replace('port: 0 }', 'port: 7000, host: 127.0.0.1 }, { port: 7000 }')}
client:
  connect: { host: x }
  proxies:
    - { name: a, kind: tcp, local: '1000-1005', port: '20000-20005' }
    - { name: b, kind: tcp, local: 2, port: 20005 }
    - { name: c, kind: tcp, local: 2, port: 20006 }
    - { name: d, kind: tcp, local: 3, port: 30000, group: g }
    - { name: e, kind: tcp, local: 4, port: 30000, group: g }
`)
    expect(error?.problems?.map(({ path }) => path)).to.deep.equal(['server.listen[1]', 'client.proxies[1].port'])
    expect(error?.message).to.include('a has it').and.include('there is tcp 127.0.0.1:7000')
  })

  it('finds ports that two of one configuration have: extensions, listeners, peers, forwards, proxies', async () => {
    const at = (port: number): string => `{ host: 127.0.0.1, port: ${port} }`
    const found = async (text: string): Promise<string[]> => {
      const { error } = await check(`extensions:\n  - { use: '@rystra/auth-token', options: { token: t } }\n${text}`)
      return (error?.problems ?? []).flatMap(({ path, value, expected }) =>
        expected.endsWith('has it') ? [`${path} ${value}: ${expected.split(': ').at(-1)}`] : []
      )
    }
    const server = `  - '@rystra/cluster-memory'
  - { use: '@rystra/admin-http', options: { listen: [${at(7080)}, ${at(7081)}, ${at(7084)}] } }
  - { use: '@rystra/observe-prometheus', options: { listen: ${at(7080)} } }
  - { use: '@rystra/proxy-http', options: { listen: [${at(7082)}, ${at(7083)}, ${at(7085)}] } }
  - { use: '@rystra/proxy-https', options: { listen: [${at(7085)}], redirectFrom: [${at(7083)}, ${at(7084)}] } }
server:
  listen: [{ transport: tcp, host: 127.0.0.1, port: 7081 }]
  cluster: { name: a, directory: memory, host: 127.0.0.1, port: 7082, ca: a.pem, cert: b.pem, key: c.pem }
`
    expect(await found(server)).to.have.members([
      'extensions admin-http 127.0.0.1:7081: server.listen (tcp) has it',
      'extensions observe-prometheus 127.0.0.1:7080: admin-http has it',
      'extensions proxy-http 127.0.0.1:7082: server.cluster has it',
      // 7083 and 7085 are shared: HTTP and TLS are told apart by their first bytes.
      'extensions proxy-https 127.0.0.1:7084: admin-http has it'
    ])
    const both = `  - { use: '@rystra/admin-http', options: { listen: [${at(7080)}] } }
  - { use: '@rystra/observe-prometheus', options: { listen: ${at(7081)} } }
server: { listen: [{ transport: tcp, host: 127.0.0.1, port: 7000 }] }
client:
  connect: { transport: tcp, host: 127.0.0.1 }
  proxies: [{ name: x, kind: tcp, local: 1, port: 7081 }]
  forwards: [{ name: db, kind: private, of: db, bind: '127.0.0.1:7080' }]
`
    expect([...new Set(await found(both))]).to.have.members([
      'extensions admin-http 127.0.0.1:7080: client.forwards[0] has it',
      'extensions observe-prometheus 127.0.0.1:7081: client.proxies[0] has it'
    ])
  })

  const cases: [
    what: string,
    exit: number,
    code: string,
    text: string,
    words: RegExp,
    more?: Record<string, string>
  ][] = [
    [
      'an environment variable that is not set',
      2,
      'config.missing-variable',
      valid.replace('token: t', "token: '${NOT_SET_ANYWHERE}'"),
      /NOT_SET_ANYWHERE/
    ],
    ['text that is no YAML', 2, 'config.syntax', 'server: [', /rystra\.config\.yaml:\d+:\d+/],
    ['a file with nothing in it', 2, 'config.syntax', '', /empty/],
    ['neither server nor client', 2, 'config.invalid', 'extensions: []', /neither server nor client/],
    [
      'an extension that is not installed',
      3,
      'extension.not-found',
      'extensions: [rystra-hook-nope]\nserver: {}',
      /rystra-hook-nope/
    ],
    ['a file that is not there', 3, 'extension.not-found', 'extensions: [./nope.ts]\nserver: {}', /nope\.ts/],
    [
      'a module that is no extension',
      3,
      'extension.not-an-extension',
      'extensions: [./x.js]\nserver: {}',
      /x\.js/,
      { 'x.js': 'export default () => {}' }
    ],
    [
      'an extension that throws',
      3,
      'extension.load-failed',
      'extensions: [./x.js]\nserver: {}',
      /boom/,
      { 'x.js': 'throw new Error("boom")' }
    ],
    ['a misspelt option', 2, 'extension.options', valid.replace('token: t', 'tokn: t'), /tokn/],
    ['two configurations', 2, 'config.syntax', valid, /has several/, { 'rystra.config.json': '{}' }]
  ]
  for (const [what, exit, code, text, words, more] of cases) {
    it(`${what} is a clear error with exit code ${exit}`, async () => {
      const outcome = await check(text, more)
      expect(outcome.error?.code, outcome.error?.message).to.equal(code)
      expect(outcome.code).to.equal(exit)
      expect(outcome.error?.message).to.match(words)
      expect(outcome.error?.hint).to.be.a('string').with.length.greaterThan(5)
    })
  }

  it('no configuration at all says where it looked, and what makes one', async () => {
    const { code, err } = await rystra(['check'], { cwd: folders.make() })
    expect(code).to.equal(2)
    expect(err).to.include('rystra.config.yaml').and.include('rystra init').and.include('code: config.not-found')
  })

  it('starts nothing', async () => {
    const cwd = folders.make({
      'rystra.config.yaml': 'extensions: [./x.js]\nserver: { listen: [{ port: 1 }] }\n',
      'x.js': `import { defineExtension } from '@rystra/plugin'
export default defineExtension({ name: 'x', setup() { return { start() { throw new Error('started') } } } })`
    })
    expect((await rystra(['check'], { cwd })).code).to.equal(0)
  })

  it('--schema has the options of extensions and the fields of transports and kinds', async () => {
    const cwd = folders.make({
      'rystra.config.yaml': 'extensions: [{ use: ./x.js, options: {} }]\nserver: {}\n',
      'x.js': `import { defineExtension, Type } from '@rystra/plugin'
export default defineExtension({ name: 'x', options: Type.Object({ colour: Type.Optional(Type.String()) }), setup() {} })`
    })
    const schema = JSON.stringify(await schemaOf(cwd))
    for (const word of ['"colour"', '"./x.js"', '"tokens"', '"listen"', '"local"', 'json-schema.org'])
      expect(schema).to.include(word)
    const { code, out } = await rystra(['check', '--schema', '--config', join(cwd, 'rystra.config.yaml')], {
      cwd: folders.make()
    })
    expect(code).to.equal(0)
    expect(JSON.parse(out)).to.have.property('$schema')
  })
})
