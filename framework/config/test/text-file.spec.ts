import { expect } from 'chai'
import { execFileSync } from 'node:child_process'
import { chmod, mkdir, open, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig } from '../src/index.js'
import { folderWith, removeFolders } from './folder.js'
import { refusal } from './refusal.js'

/** The same in each format, over several lines and with a variable. */
const texts: Readonly<Record<string, string>> = {
  'rystra.config.yaml': "# a\nserver:\n  drain: 7s\nclient:\n  id: '${ID}'\n  connect: { host: ä.example }\n",
  '.rystrarc': "# a\nserver:\n  drain: 7s\nclient:\n  id: '${ID}'\n  connect: { host: ä.example }\n",
  'rystra.config.json':
    '{\n "server": { "drain": "7s" },\n "client": { "id": "${ID}", "connect": { "host": "ä.example" } }\n}\n',
  'rystra.config.toml': '# a\n[server]\ndrain = "7s"\n[client]\nid = "${ID}"\nconnect.host = "ä.example"\n',
  'rystra.config.ts':
    "// a\nconst drain: string = '7s'\nexport default { server: { drain },\n client: { id: '${ID}', connect: { host: 'ä.example' } } }\n",
  'rystra.config.mjs':
    "// a\nexport default { server: { drain: '7s' },\n client: { id: '${ID}', connect: { host: 'ä.example' } } }\n"
}

const utf16 = (text: string, bigEndian: boolean, mark: boolean): Buffer => {
  const bytes = Buffer.from(mark ? `\uFEFF${text}` : text, 'utf16le')
  return bigEndian ? bytes.swap16() : bytes
}

const root = process.getuid?.() === 0

describe('text files as editors write them', () => {
  after(removeFolders)
  const env = {}

  for (const [name, text] of Object.entries(texts)) {
    it(`${name} and .env: byte order mark, CRLF and CR`, async () => {
      for (const [mark, end] of [
        ['\uFEFF', '\n'],
        ['', '\r\n'],
        ['\uFEFF', '\r\n'],
        ['', '\r']
      ] as const) {
        // JavaScript itself knows no other end of a comment than these.
        const written = mark + text.replaceAll('\n', end)
        const dir = await folderWith({ [name]: written, '.env': `${mark}ID=one${end}OTHER=two${end}` })
        const { config } = await loadConfig({ cwd: dir, env })
        expect(config.server?.drain, JSON.stringify(end)).to.equal(7000)
        expect(config.client?.id).to.equal('one')
        expect(config.client?.connect.host).to.equal('ä.example')
      }
    })

    it(`${name} in another encoding: the encoding is named`, async () => {
      for (const big of [false, true]) {
        for (const mark of [false, true]) {
          const dir = await folderWith({})
          await writeFile(join(dir, name), utf16(text, big, mark))
          const { message } = await refusal('config.syntax', () => loadConfig({ cwd: dir, env }))
          expect(message).to.include(join(dir, name)).and.include('UTF-16').and.include('save it as UTF-8')
        }
      }
      const dir = await folderWith({})
      await writeFile(join(dir, name), Buffer.from(text, 'latin1'))
      const { message } = await refusal('config.syntax', () => loadConfig({ cwd: dir, env }))
      expect(message).to.match(/line \d+ is not UTF-8, perhaps ISO 8859-1/)
    })
  }

  it('a .env that cannot be used is a warning, and named with a variable that is missing', async () => {
    const dir = await folderWith({ 'rystra.config.yaml': texts['rystra.config.yaml'] ?? '' })
    await writeFile(join(dir, '.env'), utf16('ID=one\n', false, true))
    const loaded = await loadConfig({ cwd: dir, env: { ID: 'two' } })
    expect(loaded.config.client?.id).to.equal('two')
    expect(loaded.warnings).to.deep.equal([`${join(dir, '.env')}: it is UTF-16; save it as UTF-8`])
    const { message } = await refusal('config.missing-variable', () => loadConfig({ cwd: dir, env }))
    expect(message).to.include('ID, for client.id').and.include('.env: it is UTF-16')
  })

  it('a .env that is a folder, or has a quote that is not closed, is named', async () => {
    const config = texts['rystra.config.yaml'] ?? ''
    const folder = await folderWith({ 'rystra.config.yaml': config })
    await mkdir(join(folder, '.env'))
    const none = await folderWith({ 'rystra.config.yaml': config })
    expect((await loadConfig({ cwd: none, env: { ID: 'two' } })).warnings).to.deep.equal([])
    const { warnings } = await loadConfig({ cwd: folder, env: { ID: 'two' } })
    expect(warnings).to.deep.equal([`${join(folder, '.env')}: expected a file, got a folder`])
    for (const [text, line] of [
      [`A=1\nB="abc\nID=one`, 2],
      [`ID=one\nexport B='x`, 2],
      ['ID=one\nB="x" # "y\nC="a\nb"\nD=it\'s\n# "\nE=', 0]
    ] as const) {
      const dir = await folderWith({ 'rystra.config.yaml': config, '.env': text })
      const found = (await loadConfig({ cwd: dir, env: { ID: 'two' } })).warnings
      const problem = `${join(dir, '.env')}: line ${line} has an unclosed quote`
      expect(found, text).to.deep.equal(line === 0 ? [] : [problem])
    }
  })

  it('.env: lines that are passed over, and typographic quotes, are named by line, without values', async () => {
    const text = 'A=1\nID: secret\n\n# B\nset C=secret\nD="two\nlines"\n$env:E="secret"\nF=\u201csecret\u201d\n'
    const dir = await folderWith({ 'rystra.config.yaml': texts['rystra.config.yaml'] ?? '', '.env': text })
    const { warnings } = await loadConfig({ cwd: dir, env: { ID: 'two' } })
    expect(warnings).to.deep.equal(
      [
        'line 2 is passed over: it is not NAME=value',
        'line 5 is passed over: it is not NAME=value',
        'line 8 is passed over: it is not NAME=value',
        'line 9 has typographic quotes'
      ].map((warning) => `${join(dir, '.env')}: ${warning}`)
    )
  })

  it('YAML with a no-break space in the place of a blank: line and column are named', async () => {
    for (const [text, place] of [
      ['server:\n\u00a0 drain: 7s\n', '2:1'],
      ['server:\n  drain:\u00a07s\n', '2:9'],
      ['server:\n  listen:\n    -\u00a0{ transport: tcp }\n', '3:6'],
      ['server:\n  drain\u200b: 7s\n', '2:8']
    ] as const) {
      const dir = await folderWith({ 'rystra.config.yaml': text })
      const { message } = await refusal('config.syntax', () => loadConfig({ cwd: dir, env }))
      expect(message).to.match(new RegExp(`rystra\\.config\\.yaml:${place}: U\\+(00A0|200B) stands`))
    }
    const dir = await folderWith({ 'rystra.config.yaml': 'client: { id: "a\u00a0b", connect: { host: x } }\n' })
    expect((await loadConfig({ cwd: dir, env })).config.client?.id).to.equal('a\u00a0b')
  })

  it('a named pipe or a device in the place of a file is refused at once', async function () {
    if (process.platform === 'win32') this.skip()
    const dir = await folderWith({ 'rystra.config.yaml': texts['rystra.config.yaml'] ?? '' })
    execFileSync('mkfifo', [join(dir, '.env')])
    const { warnings } = await loadConfig({ cwd: dir, env: { ID: 'two' } })
    expect(warnings).to.deep.equal([`${join(dir, '.env')}: expected a file, got a named pipe`])
    await symlink('/dev/zero', join(dir, 'zero.yaml'))
    const { message } = await refusal('file.failed', () => loadConfig({ cwd: dir, file: 'zero.yaml', env }))
    expect(message).to.include('zero.yaml: expected a file, got a device')
  })

  it('without rights: says so, with the path', async function () {
    if (process.seteuid === undefined) this.skip()
    const dir = await folderWith({ 'rystra.config.yaml': texts['rystra.config.yaml'] ?? '', '.env': 'ID=one' })
    await chmod(dir, 0o755)
    await chmod(join(dir, '.env'), 0)
    // Files without rights do not keep root out.
    if (root) process.seteuid(65534)
    try {
      expect((await loadConfig({ cwd: dir, env: { ID: 'two' } })).warnings.join()).to.include('EACCES')
      if (root) process.seteuid(0)
      await chmod(join(dir, 'rystra.config.yaml'), 0)
      if (root) process.seteuid(65534)
      const { message } = await refusal('file.failed', () => loadConfig({ cwd: dir, env }))
      expect(message).to.include('rystra.config.yaml').and.include('EACCES')
      if (root) process.seteuid(0)
      await chmod(dir, 0)
      if (root) process.seteuid(65534)
      // Not that the folder has a configuration of every name.
      const hidden = await refusal('file.failed', () => loadConfig({ cwd: dir, env }))
      expect(hidden.message).to.include(dir).and.include('EACCES')
    } finally {
      if (root) process.seteuid(0)
      await chmod(dir, 0o755)
    }
  })

  it('half written: waits for the editor', async () => {
    const name = 'rystra.config.yaml'
    const dir = await folderWith({ [name]: 'server: {}\n', '.env': 'ID=one\n' })
    await truncate(join(dir, name))
    const loading = loadConfig({ cwd: dir, env })
    const file = await open(join(dir, name), 'w')
    await file.write(texts[name] ?? '')
    await file.close()
    expect((await loading).config.server?.drain).to.equal(7000)
  })
})
