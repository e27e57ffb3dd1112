import { expect } from 'chai'
import { loadConfig } from '@rystra/config'
import { isRystraError } from '@rystra/model'
import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { checkConfig } from '../src/check.js'
import { splitArguments } from '../src/import/arguments.js'
import { importArguments, importFile, type Imported } from '../src/import/index.js'
import { missingVariables, writeImported } from '../src/import/write.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders, snapshot } from './folder.js'
import { allOfFrpc, allOfFrps, allOfRathole } from './fixtures/peer-options.js'
import { frpc, frps, rathole } from './fixtures/peers.js'

const folders = new Folders()

/** Writes the project, sets what the user has to set, checks it with every extension, and returns what it says. */
const project = async (imported: Imported) => {
  const dir = folders.make()
  await writeImported(imported, dir, false)
  for (const name of missingVariables(imported))
    appendFileSync(join(dir, '.env'), `${name}=sha256:${'ab'.repeat(32)}\n`)
  await checkConfig(dir)
  const env = parseEnv(readFileSync(join(dir, '.env'), 'utf8'))
  return {
    dir,
    env,
    config: (await loadConfig({ cwd: dir, env: {} })).config,
    text: readFileSync(join(dir, 'rystra.config.yaml'), 'utf8')
  }
}

const fromFile = (name: string, text: string): Promise<Imported> => importFile(name, folders.make({ [name]: text }))

const noteOf = ({ draft }: Imported, key: string) => draft.notes.find((note) => note.key === key)

/** Lines of a text that hold an entry: no comments, headers, or further lines of a list. */
const entryLines = (text: string): number[] =>
  text.split('\n').flatMap((line, i) => (/^\s*[\w."-]+\s*=/.test(line) ? [i + 1] : []))

const refused = async (act: () => Promise<unknown> | unknown, code: string, words: RegExp): Promise<void> => {
  try {
    await act()
  } catch (error) {
    expect(isRystraError(error) && error.code, String(error)).to.equal(code)
    expect((error as Error).message).to.match(words)
    return
  }
  expect.fail('it was imported')
}

describe('import', () => {
  // The first check loads the sources of many extensions.
  afterEach(() => folders.clean())

  it('frpc.toml: proxies, visitors, TLS and secrets, in a configuration that is valid', async () => {
    const imported = await fromFile('frpc.toml', frpc)
    const { config, env, text, dir } = await project(imported)
    const { client } = config
    expect(client?.connect).to.include({ transport: 'tls', host: 'tunnel.example.org', port: 7001 })
    const byName = new Map(client?.proxies.map((proxy) => [proxy.name, proxy as Record<string, unknown>]))
    expect([...byName.keys()]).to.deep.equal(['ssh', 'dns', 'web', 'web-2', 'docker', 'vault', 'legacy', 'db'])
    expect(byName.get('ssh')).to.deep.include({
      kind: 'tcp',
      local: '127.0.0.1:22',
      port: 6000,
      bandwidth: 2 ** 20,
      proxyProtocol: 'v2'
    })
    expect(byName.get('dns')).to.include({ kind: 'udp', local: '192.168.1.1:53', port: 6002 })
    expect(byName.get('web')).to.deep.include({
      host: ['web.example.org', 'www.example.org'],
      path: '/',
      hostHeader: 'dev.local'
    })
    expect(byName.get('web-2')).to.deep.include({ path: '/pic', requestHeaders: { set: { 'x-from-where': 'frp' } } })
    expect(byName.get('web-2')?.['healthCheck']).to.include({
      type: 'http',
      path: '/status',
      interval: 10_000,
      failures: 3
    })
    expect(byName.get('docker')).to.include({ local: 'unix:/var/run/docker.sock' })
    expect(byName.get('vault')).to.include({ kind: 'https', host: 'vault.example.org' })
    expect(byName.get('legacy')).to.include({ kind: 'http', local: '127.0.0.1:8081' })
    expect(byName.get('db')).to.deep.include({ kind: 'private', secret: 'what is ${this}?', allow: ['*'] })
    expect(client?.forwards[0]).to.include({ of: 'cache', bind: '127.0.0.1:9000', protocol: 'udp' })
    expect(byName.get('web')?.['basicAuth']).to.deep.equal({ user: 'ann', password: `pass "word"'s` })
    for (const secret of ['a token of 24 characters', 'what is', 'pass "word"']) expect(text).not.to.include(secret)
    expect(env['RYSTRA_TOKEN']).to.equal('a token of 24 characters')
    expect(statSync(join(dir, '.env')).mode & 0o777).to.equal(0o600)
  })

  it('frpc.toml: each line is in the report, with what became of it', async () => {
    const imported = await fromFile('frpc.toml', frpc)
    const reported = new Set(imported.draft.notes.map(({ line }) => line))
    for (const line of entryLines(frpc)) expect(reported.has(line), frpc.split('\n')[line - 1]).to.equal(true)
    expect(noteOf(imported, 'transport.poolCount')).to.include({ outcome: 'none', line: 22 })
    expect(noteOf(imported, 'proxies[0].transport.useCompression')).to.include({
      outcome: 'none',
      text: 'no compression'
    })
    expect(noteOf(imported, 'proxies[0].remotePort')).to.deep.include({ outcome: 'same', text: 'port' })
    const files = imported.draft.notes.filter(({ key }) => key.startsWith('proxies[6]'))
    expect(files.map(({ outcome }) => outcome)).to.deep.equal(files.map(() => 'none'))
    const { text } = await project(imported)
    expect(text).to.match(/^# - line 22, transport\.poolCount: /m)
  })

  it('frpc.toml: variables of the environment stay variables, and start selects proxies', async () => {
    const imported = await fromFile(
      'client.toml',
      'serverAddr = "a.example"\nauth.token = "{{ .Envs.FRP_TOKEN }}"\nstart = ["b"]\n' +
        '[[proxies]]\nname = "a"\ntype = "tcp"\nlocalPort = 1\n[[proxies]]\nname = "b"\ntype = "tcp"\nlocalPort = 2\nremotePort = 0\n'
    )
    expect(JSON.stringify(imported.draft.config())).to.include('${FRP_TOKEN}')
    expect([...imported.draft.env.keys()]).to.deep.equal(['RYSTRA_FINGERPRINT'])
    const { proxies } = imported.draft.client as { proxies: Record<string, unknown>[] }
    expect(proxies).to.deep.equal([{ name: 'b', kind: 'tcp', local: '127.0.0.1:2' }])
    expect(noteOf(imported, 'proxies[0].name')).to.deep.include({ outcome: 'none', line: 5 })
  })

  it('frpc in YAML and JSON says the same, with lines', async () => {
    const yaml =
      'serverAddr: a.example\nauth:\n  token: a token of 24 characters\nproxies:\n  - name: x\n    type: tcp\n    localPort: 22\n    metadatas: { a: b }\n'
    const imported = await fromFile('frpc.yaml', yaml)
    expect(noteOf(imported, 'proxies[0].metadatas.a')).to.include({ outcome: 'none', line: 8 })
    expect(noteOf(imported, 'proxies[0].localPort')).to.include({ outcome: 'same', line: 7 })
    const json = await fromFile(
      'frpc.json',
      JSON.stringify({
        serverAddr: 'a.example',
        auth: { token: 'a token of 24 characters' },
        proxies: [{ name: 'x', type: 'tcp', localPort: 22 }]
      })
    )
    expect(json.draft.config()).to.deep.equal(imported.draft.config())
  })

  it('frps.toml: listeners, ports, web and limits', async () => {
    const imported = await fromFile('frps.toml', frps)
    const { config } = await project(imported)
    expect(config.server?.listen).to.have.length(2)
    expect(config.server?.listen[0]).to.include({ transport: 'tls', host: '::', port: 7000 })
    expect(config.server?.listen[1]).to.include({ transport: 'quic', port: 7002 })
    expect(config.server?.publish.ports).to.deep.equal([
      { from: 2000, to: 3001 },
      { from: 4000, to: 50000 }
    ])
    expect(config.server?.heartbeat).to.deep.equal({ interval: 15_000, timeout: 90_000 })
    expect(config.server?.limits).to.include({ proxiesPerSession: 12 })
    const options = (name: string): Record<string, unknown> =>
      (config.extensions.find((one) => (one as { use?: string }).use === name) as { options: Record<string, unknown> })
        .options
    expect(options('@rystra/proxy-http')).to.deep.include({
      baseDomain: 'frps.example.org',
      answerTimeout: 60_000,
      listen: [{ host: '0.0.0.0', port: 80 }]
    })
    expect(options('@rystra/proxy-https')).to.deep.include({ listen: [{ host: '0.0.0.0', port: 443 }] })
    expect(options('@rystra/observe-prometheus')).to.deep.equal({ listen: { host: '127.0.0.1', port: 7500 } })
    const reported = new Set(imported.draft.notes.map(({ line }) => line))
    for (const line of entryLines(frps)) expect(reported.has(line), frps.split('\n')[line - 1]).to.equal(true)
    expect(noteOf(imported, 'kcpBindPort')?.outcome).to.equal('none')
  })

  it('frps.toml without a token gets a new one, and says so', async () => {
    const imported = await fromFile('frps.toml', 'bindPort = 7000\n')
    const { env, text } = await project(imported)
    expect(env['RYSTRA_TOKEN']).to.match(/^[\w-]{43}$/)
    expect(text).to.include('# frps had no token')
  })

  it('rathole.toml: both halves; the port of the server becomes that of the client', async () => {
    const imported = await fromFile('rathole.toml', rathole)
    const { config, env } = await project(imported)
    expect(config.server?.listen[0]).to.include({ transport: 'tls', host: '0.0.0.0', port: 2333 })
    expect(config.server?.publish.ports).to.deep.equal([
      { from: 5202, to: 5202 },
      { from: 5353, to: 5353 }
    ])
    expect(config.client?.proxies).to.have.length(2)
    expect(config.client?.proxies[0]).to.include({ name: 'my_nas_ssh', kind: 'tcp', local: '127.0.0.1:22', port: 5202 })
    expect(config.client?.proxies[1]).to.include({ kind: 'udp', port: 5353 })
    expect(env).to.include({ RYSTRA_TOKEN: 'default_token_if_not_specify', RYSTRA_TOKEN_DNS: 'another token for dns' })
    expect(noteOf(imported, 'client.services.dns.token')).to.include({ outcome: 'none' })
    const reported = new Set(imported.draft.notes.map(({ line }) => line))
    for (const line of entryLines(rathole)) expect(reported.has(line), rathole.split('\n')[line - 1]).to.equal(true)
  })

  it('rathole.toml of a client alone says that the public port is missing', async () => {
    const imported = await fromFile(
      'r.toml',
      '[client]\nremote_addr = "h:1"\ndefault_token = "x"\n[client.services.a]\nlocal_addr = "127.0.0.1:22"\n'
    )
    const { text } = await project(imported)
    expect(text).to.include('# port: …')
    expect(noteOf(imported, 'client.services.a.bind_addr')).to.include({ outcome: 'changed' })
  })

  it('chisel client: remotes both ways, and its flags', async () => {
    const imported = importArguments(
      `client --auth "ann:se cret" -keepalive=25s --max-retry-count 5 --header 'X-Key: a b' --proxy http://u:p@proxy:3128 --fingerprint abc https://tunnel.example.org/x R:2222:localhost:22 R:127.0.0.1:8080:[::1]:80 R:53:9.9.9.9:53/udp 3000:db:5432 socks`
    )
    const { config, env, text } = await project(imported)
    expect(config.client?.connect).to.deep.include({
      transport: 'wss',
      host: 'tunnel.example.org',
      port: 443,
      headers: { 'X-Key': 'a b' },
      proxy: 'http://u:p@proxy:3128'
    })
    expect(config.client?.proxies).to.have.length(3)
    expect(config.client?.proxies[0]).to.include({ kind: 'tcp', local: 'localhost:22', port: 2222 })
    expect(config.client?.proxies[1]).to.include({ local: '[::1]:80', port: 8080, host: '127.0.0.1' })
    expect(config.client?.proxies[2]).to.include({ kind: 'udp', local: '9.9.9.9:53', port: 53 })
    expect(config.client?.forwards[0]).to.include({ bind: '127.0.0.1:3000', of: 'tcp-3000' })
    expect(config.client?.reconnect).to.include({ attempts: 5 })
    expect(env).to.include({ RYSTRA_TOKEN: 'se cret', RYSTRA_PROXY: 'http://u:p@proxy:3128' })
    expect(text).not.to.include('se cret').and.not.to.include('u:p@')
    expect(noteOf(imported, 'socks')?.outcome).to.equal('none')
    expect(noteOf(imported, '--fingerprint')?.outcome).to.equal('none')
  })

  it('chisel server', async () => {
    const { config, env } = await project(
      importArguments('chisel server -p 9312 --reverse --auth ann:0123456789abcdef --backend http://127.0.0.1:8000')
    )
    expect(config.server?.listen[0]).to.include({ transport: 'wss', port: 9312, fallback: 'http://127.0.0.1:8000' })
    expect(env['RYSTRA_TOKEN']).to.equal('0123456789abcdef')
    const other = importArguments('server --proxy http://example.com --ldap-config ldap.json')
    expect((await project(other)).config.server?.listen[0]).to.include({ fallback: 'http://example.com:80' })
    expect(noteOf(other, '--ldap-config')?.outcome).to.equal('none')
    for (const backend of ['https://example.com', 'http://example.com/app', 'example.com:80']) {
      const imported = importArguments(`server --backend ${backend}`)
      expect((await project(imported)).config.server?.listen[0], backend).to.not.have.property('fallback')
      expect(noteOf(imported, '--backend')?.outcome, backend).to.equal('none')
    }
  })

  it('arguments are split as a shell does', () => {
    expect(splitArguments(`a "b c" 'd "e' f\\ g h="i j"k ''`)).to.deep.equal(['a', 'b c', 'd "e', 'f g', 'h=i jk', ''])
    expect(() => splitArguments('a "b')).to.throw(/not closed/)
  })

  it('knows every option that frp and rathole document: each has a line and a reason', async () => {
    const files: Readonly<Record<string, string>> = {
      'frpc.toml': allOfFrpc,
      'frps.toml': allOfFrps,
      ...Object.fromEntries(
        ['tcp', 'tls', 'noise', 'websocket', 'http2'].map((type) => [`rathole-${type}.toml`, allOfRathole(type)])
      )
    }
    for (const [name, text] of Object.entries(files)) {
      const { notes } = (await fromFile(name, text)).draft
      const reported = new Set(notes.map(({ line }) => line))
      for (const line of entryLines(text))
        expect(reported.has(line), `${name}: ${text.split('\n')[line - 1]}`).to.equal(true)
      const unknown = notes.filter((note) => note.text === 'not known here').map(({ key }) => key)
      expect(unknown, name).to.deep.equal([])
    }
  })

  it('frpc.toml: a visitor that is disabled is left out', async () => {
    const text = allOfFrpc.replaceAll('enabled = true', 'enabled = false')
    const imported = await fromFile('frpc.toml', text)
    expect(noteOf(imported, 'visitors[0].enabled')?.text).to.include('left out')
    expect((imported.draft.client as { forwards?: unknown }).forwards).to.equal(undefined)
  })

  it('rathole.toml: http2 is the transport of that name', async () => {
    const { config } = await project(
      await fromFile('rathole.toml', allOfRathole('http2').replaceAll(/^trusted_root.*$/gm, ''))
    )
    expect(config.client?.connect).to.include({ transport: 'http2' })
    expect(config.server?.listen?.[0]).to.include({ transport: 'http2' })
  })

  it('what cannot be read is refused with file, line and reason, and nothing is written', async () => {
    const file = (name: string, text: string) => (): Promise<unknown> => fromFile(name, text)
    await refused(
      file('frpc.toml', 'serverAddr = "a"\nserverPort = "7000"\n'),
      'config.invalid',
      /frpc\.toml, line 2: serverPort: expected a number/
    )
    await refused(
      file('frpc.toml', 'serverAddr = "a"\n[[proxies]]\nname = "x"\ntype = "ftp"\nlocalPort = 1\n'),
      'config.invalid',
      /line 4: proxies\[0\]\.type/
    )
    await refused(file('frpc.toml', 'serverAddr = \n'), 'config.syntax', /frpc\.toml: line 1/)
    await refused(file('frpc.toml', '[common]\nserver_addr = 0.0.0.0\n'), 'config.syntax', /INI format/)
    await refused(file('frpc.toml', 'a = 1\n{{- range $_, $v := x }}\n'), 'config.invalid', /line 2: a template/)
    await refused(file('some.toml', 'a = 1\n'), 'usage.invalid', /not recognised/)
    await refused(() => importFile('none.toml', folders.make()), 'file.failed', /none\.toml/)
    await refused(() => importArguments('client https://x R:a:b:c'), 'usage.invalid', /not a remote/)
    await refused(() => importArguments('client --frob https://x'), 'usage.invalid', /frob/)
    await refused(() => importArguments('client --keepalive soon https://x'), 'usage.invalid', /duration/)
    await refused(() => importArguments('relay'), 'usage.invalid', /expected server or client/)
  })

  it('the command writes a project and the report; --stdout and a refusal write nothing', async () => {
    const dir = folders.make({ 'frps.toml': frps })
    const before = snapshot(dir)
    const shown = await rystra(['import', 'frps.toml', '--stdout'], { cwd: dir })
    expect(shown.code, shown.err).to.equal(0)
    expect(shown.out).to.match(/^# Imported from frps\.toml/)
    expect(shown.err).to.match(/^\d+ +- +kcpBindPort +no KCP/m)
    expect(snapshot(dir)).to.deep.equal(before)
    const { code, out } = await rystra(['import', 'frps.toml', '--out', 'sub'], { cwd: dir })
    expect(code).to.equal(0)
    expect(out)
      .to.match(/\d+ the same, \d+ changed, \d+ without an equivalent\./)
      .and.include('npx rystra serve')
    await refused(
      async () => writeImported(importArguments('server'), join(dir, 'sub'), false),
      'usage.invalid',
      /has a configuration/
    )
  })
})
