import { mkdir, rename, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'chai'
import { type ConfigFormat, loadConfig, searchPlaces } from '../src/index.js'
import { maxFileSize } from '../src/text-file.js'
import { folderWith, removeFolders } from './folder.js'
import { refusal } from './refusal.js'

const yaml = `
# a comment
extensions:
  - '@rystra/transport-tcp'
  - use: '@rystra/auth-token'
    options: { tokens: [{ identity: home, token: '\${TOKEN}' }] }
log: { level: '\${LEVEL:-debug}' }
server: { publish: { ports: ['20000-20010', 25] }, drain: 5s }
client:
  connect: { host: tunnel.example.org, port: 7001 }
  proxies:
    - { name: ssh, kind: tcp, local: '127.0.0.1:22', port: 20022 }
`
const json = `{
  // a comment
  "extensions": ["@rystra/transport-tcp", { "use": "@rystra/auth-token", "options": { "tokens": [{ "identity": "home", "token": "\${TOKEN}" }] } }],
  "log": { "level": "\${LEVEL:-debug}" }, /* another */
  "server": { "publish": { "ports": ["20000-20010", 25] }, "drain": "5s" },
  "client": {
    "connect": { "host": "tunnel.example.org", "port": 7001 },
    "proxies": [{ "name": "ssh", "kind": "tcp", "local": "127.0.0.1:22", "port": 20022 }],
  },
}`
const toml = `
# a comment
extensions = ["@rystra/transport-tcp", { use = "@rystra/auth-token", options = { tokens = [{ identity = "home", token = "\${TOKEN}" }] } }]
log.level = "\${LEVEL:-debug}"
[server]
publish.ports = ["20000-20010", 25]
drain = "5s"
[client.connect]
host = "tunnel.example.org"
port = 7001
[[client.proxies]]
name = "ssh"
kind = "tcp"
local = "127.0.0.1:22"
port = 20022
`
const strict = JSON.stringify({
  extensions: [
    '@rystra/transport-tcp',
    { use: '@rystra/auth-token', options: { tokens: [{ identity: 'home', token: '${TOKEN}' }] } }
  ],
  log: { level: '${LEVEL:-debug}' },
  server: { publish: { ports: ['20000-20010', 25] }, drain: '5s' },
  client: {
    connect: { host: 'tunnel.example.org', port: 7001 },
    proxies: [{ name: 'ssh', kind: 'tcp', local: '127.0.0.1:22', port: 20022 }]
  }
})
const module = `export default ${strict}`
const typescript = `
interface Half { drain?: string }
const config: { server: Half; [key: string]: unknown } = ${strict}
export default (env: Record<string, string | undefined>) => ({ ...config, log: { level: env.LEVEL ?? 'debug' } })
`

const files: [name: string, format: ConfigFormat, text: string][] = [
  ['rystra.config.yaml', 'yaml', yaml],
  ['rystra.config.yml', 'yaml', yaml],
  ['rystra.config.json', 'json', json],
  ['rystra.config.toml', 'toml', toml],
  ['rystra.config.ts', 'code', typescript],
  ['rystra.config.js', 'code', module],
  ['rystra.config.mjs', 'code', module],
  ['.rystrarc', 'yaml', yaml],
  ['.rystrarc.json', 'json', json],
  ['.rystrarc.yaml', 'yaml', yaml],
  ['.rystrarc.yml', 'yaml', yaml],
  ['.rystrarc.toml', 'toml', toml],
  ['.rystrarc.js', 'code', `module.exports = async () => (${strict})`],
  ['.rystrarc.mjs', 'code', module],
  ['.rystrarc.ts', 'code', typescript],
  ['package.json', 'json', `{ "name": "x", "rystra": ${strict} }`]
]

const small = 'log: { level: warn }'
const env = { TOKEN: 'secret' }

describe('a configuration', () => {
  after(removeFolders)

  it('has every name that is looked for in the tests below', () =>
    expect(files.map(([name]) => name)).to.have.members([...searchPlaces]))

  for (const [name, format, text] of files)
    it(`is found as ${name}, and means the same`, async () => {
      const dir = await folderWith({ [name]: text })
      const loaded = await loadConfig({ cwd: dir, env })
      expect([loaded.path, loaded.dir, loaded.format]).to.deep.equal([join(dir, name), dir, format])
      const { client, ...rest } = loaded.config
      expect(rest).to.deep.equal({
        extensions: [
          '@rystra/transport-tcp',
          { use: '@rystra/auth-token', options: { tokens: [{ identity: 'home', token: 'secret' }] } }
        ],
        log: { level: 'debug' },
        server: {
          ...(await loadConfig({ cwd: await folderWith({ '.rystrarc': 'server: {}' }), env })).config.server,
          publish: {
            host: '0.0.0.0',
            ports: [
              { from: 25, to: 25 },
              { from: 20_000, to: 20_010 }
            ]
          },
          drain: 5000
        }
      })
      expect(client?.connect).to.deep.equal({ transport: 'tcp', host: 'tunnel.example.org', port: 7001 })
      expect(client?.proxies).to.deep.equal([{ name: 'ssh', kind: 'tcp', local: '127.0.0.1:22', port: 20_022 }])
    })

  it('may be any file that is named, also relative to the folder', async () => {
    const dir = await folderWith({ 'other.yaml': small, 'rystra.config.json': '{}' })
    expect((await loadConfig({ cwd: dir, file: 'other.yaml' })).config.log.level).to.equal('warn')
    expect((await loadConfig({ file: join(dir, 'other.yaml') })).config.log.level).to.equal('warn')
    const field = await folderWith({ 'package.json': '{ "rystra": { "log": { "level": "warn" } } }' })
    expect((await loadConfig({ cwd: field, file: 'package.json' })).config.log.level).to.equal('warn')
  })

  it('is read anew each time', async () => {
    const dir = await folderWith({
      'level.js': "export const level = 'warn'",
      'rystra.config.ts': "import { level } from './level.js'\nexport default { log: { level } }"
    })
    expect((await loadConfig({ cwd: dir })).config.log.level).to.equal('warn')
    await writeFile(join(dir, 'level.js'), "export const level = 'error'")
    expect((await loadConfig({ cwd: dir })).config.log.level).to.equal('error')
  })

  it('that is missing is an error that says what was looked for, and where', async () => {
    const dir = await folderWith({ 'package.json': '{ "name": "x" }' })
    const error = await refusal('config.not-found', () => loadConfig({ cwd: dir }))
    for (const name of [dir, ...searchPlaces]) expect(error.message).to.include(name)
    const named = await refusal('config.not-found', () => loadConfig({ cwd: dir, file: 'none.yaml' }))
    expect(named.message).to.include(join(dir, 'none.yaml'))
    await refusal('config.not-found', () => loadConfig({ cwd: join(dir, 'no', 'such', 'folder') }))
    await refusal('config.not-found', () => loadConfig({ file: dir }))
  })

  it('is not looked for in the folders above', async () => {
    const dir = await folderWith({ 'rystra.config.yaml': small })
    await mkdir(join(dir, 'below'))
    await refusal('config.not-found', () => loadConfig({ cwd: join(dir, 'below') }))
  })

  it('that is there twice is an error that names both', async () => {
    const dir = await folderWith({
      'rystra.config.yaml': small,
      '.rystrarc.json': '{}',
      'package.json': '{ "rystra": {} }'
    })
    const error = await refusal('config.syntax', () => loadConfig({ cwd: dir }))
    expect(error.message).to.include('rystra.config.yaml, .rystrarc.json, package.json#rystra')
  })

  it('may stand beside a package.json of any other content', async () => {
    for (const other of ['{ "name": "x" }', '{ broken', '', '5', '[]', 'null']) {
      const dir = await folderWith({ 'rystra.config.yaml': small, 'package.json': other })
      expect((await loadConfig({ cwd: dir })).config.log.level, other).to.equal('warn')
    }
  })

  it('may be a link to a file, and starts where the link is', async () => {
    const [target, dir] = [await folderWith({ 'a.yaml': small }), await folderWith({})]
    await symlink(join(target, 'a.yaml'), join(dir, 'rystra.config.yaml'))
    expect((await loadConfig({ cwd: dir })).dir).to.equal(dir)
  })

  it('takes variables from .env beside it, and from the environment first', async () => {
    const text = "client: { id: '${A}-${B}-${C}', connect: { host: h } }"
    const dir = await folderWith({ '.env': 'A=1\n# no\nexport B="2"\nC=3\n', 'rystra.config.yaml': text })
    expect((await loadConfig({ cwd: dir, env: { C: 'mine', A: undefined } })).config.client?.id).to.equal('1-2-mine')
    process.env.RYSTRA_TEST_VARIABLE = 'here'
    try {
      const other = await folderWith({ '.rystrarc': "client: { id: '${RYSTRA_TEST_VARIABLE}', connect: { host: h } }" })
      expect((await loadConfig({ cwd: other })).config.client?.id).to.equal('here')
    } finally {
      delete process.env.RYSTRA_TEST_VARIABLE
    }
  })

  it('names the file when a variable is missing, or something is not valid', async () => {
    const dir = await folderWith({ 'rystra.config.yaml': "log: { level: '${NONE}' }" })
    const missing = await refusal('config.missing-variable', () => loadConfig({ cwd: dir, env: {} }))
    expect(missing.message).to.include(join(dir, 'rystra.config.yaml')).and.to.include('NONE, for log.level')
    const invalid = await refusal('config.invalid', () => loadConfig({ cwd: dir, env: { NONE: 'loud' } }))
    expect(invalid.file).to.equal(join(dir, 'rystra.config.yaml'))
  })

  it('that is empty is an error', async () => {
    for (const [name, text] of [
      ['rystra.config.yaml', ' \n'],
      ['rystra.config.yaml', '# only this'],
      ['rystra.config.json', '// x'],
      ['rystra.config.ts', ''],
      ['rystra.config.json', 'null']
    ] as const) {
      const dir = await folderWith({ [name]: text })
      await refusal('config.syntax', () => loadConfig({ cwd: dir }))
    }
    expect(
      (await loadConfig({ cwd: await folderWith({ 'rystra.config.toml': '# nothing set' }).catch(String) })).config.log
        .level
    ).to.equal('info')
  })

  const broken: [name: string, text: string, place: string, what: RegExp][] = [
    ['rystra.config.yaml', 'log:\n  level: info\n  level: warn\n', ':3:3', /"level" is there twice/],
    ['rystra.config.yaml', 'log: {\n  level: [\n', ':3:1', /flow/i],
    ['rystra.config.yaml', 'a: 1\n---\nb: 2\n', ':2:1', /document/],
    ['rystra.config.yaml', 'log: !!js/function "x"\n', ':1:6', /tag/i],
    ['rystra.config.yaml', 'log:\n\t- x\n', ':2:1', /tab/i],
    ['.rystrarc', 'log: *none\n', ':1:6', /no anchor for this alias/],
    ['rystra.config.yaml', 'log: &a { level: *a }\nclient: *b\n', ':2:9', /no anchor for this alias/],
    ['rystra.config.yaml', 'log:\n  level: info\n---\nlog: {}\n', ':3:1', /configuration is one document/],
    ['rystra.config.json', '{\n  "log": {},\n  "log": {}\n}', ':3:3', /"log" is there twice/],
    ['rystra.config.json', '{\n  "log" {}\n}', ':2:9', /colon expected/],
    ['rystra.config.json', '{} {}', ':1:4', /end of file expected/],
    ['rystra.config.toml', '[log]\nlevel = "a"\nlevel = "b"\n', ':3:', /redefine/],
    ['rystra.config.toml', 'log = \n', ':1:', /./],
    ['rystra.config.ts', 'export default {\n  log: {\n', '', /./],
    ['rystra.config.ts', 'throw new Error("own")', '', /own/],
    ['rystra.config.js', 'export default async () => { throw "a string" }', '', /a string/],
    ['rystra.config.mjs', 'import "./none.js"\nexport default {}', '', /none\.js/],
    ['rystra.config.mjs', 'export const config = {}', '', /default export/],
    ['rystra.config.ts', 'export default () => 5', '', /default export/],
    ['package.json', '{ "rystra": {}, }}', ':1:18', /end of file/]
  ]
  for (const [name, text, place, what] of broken)
    it(`says where ${name} is broken: ${JSON.stringify(text)}`, async () => {
      const dir = await folderWith({ [name]: text })
      const error = await refusal('config.syntax', () => loadConfig({ cwd: dir }))
      expect(error.message)
        .to.include(`${join(dir, name)}${place}`)
        .and.to.match(what)
    })

  it('that cannot be read shows no secrets that lack their quotes', async () => {
    for (const text of [
      'token: *hunter2',
      'token: !hunter2 x',
      'token: @hunter2',
      'token: %hunter2',
      'token: `hunter2`',
      'token: "hunter2',
      'token: {hunter2',
      'token: a: hunter2'
    ]) {
      const dir = await folderWith({ 'rystra.config.yaml': text })
      const error = await refusal('config.syntax', () => loadConfig({ cwd: dir }))
      expect(error.message, text).to.not.include('hunter2')
    }
    for (const [end, text] of [
      ['json', '{ "token": hunter2 }'],
      ['json', '{ "token": "hunter2 }'],
      ['toml', 'token = hunter2'],
      ['toml', 'token = "hunter2']
    ] as const) {
      const dir = await folderWith({ [`rystra.config.${end}`]: text })
      const error = await refusal('config.syntax', () => loadConfig({ cwd: dir }))
      expect(error.message + String(error.stack), text).to.not.include('hunter2')
    }
  })

  it('of another ending is refused, and told which there are', async () => {
    const dir = await folderWith({ 'config.ini': 'a=1' })
    const error = await refusal('config.syntax', () => loadConfig({ cwd: dir, file: 'config.ini' }))
    expect(error.message).to.include('.yaml, .yml, .json, .toml, .ts, .js, .mjs')
  })

  it('that is larger than a mebibyte is refused before it is read', async () => {
    for (const name of ['rystra.config.yaml', 'rystra.config.json', 'rystra.config.ts']) {
      const dir = await folderWith({ [name]: `# ${'x'.repeat(10 * maxFileSize)}` })
      expect((await refusal('config.syntax', () => loadConfig({ cwd: dir }))).message).to.include('larger than 1048576')
    }
    const env = await folderWith({ 'rystra.config.yaml': small, '.env': 'A=1\n'.repeat(maxFileSize) })
    expect((await loadConfig({ cwd: env })).warnings.join()).to.include('.env: larger than')
  })

  it('is not changed by instructions to cosmiconfig in it', async () => {
    const dir = await folderWith({ 'rystra.config.yaml': '$import: ./other.yaml\n', 'other.yaml': small })
    expect((await refusal('config.invalid', () => loadConfig({ cwd: dir }))).message).to.include('$import: unknown key')
  })

  it('that is a folder counts as not there', async () => {
    const dir = await folderWith({ 'x.yaml': small })
    await mkdir(join(dir, 'rystra.config.yaml'))
    await rename(join(dir, 'x.yaml'), join(dir, 'rystra.config.yml'))
    expect((await loadConfig({ cwd: dir })).config.log.level).to.equal('warn')
  })
})
