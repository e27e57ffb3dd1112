import { expect } from 'chai'
import { errorTable } from '@rystra/model'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { asRystraError, errorJson } from '../src/report.js'
import { joinTopic } from '../src/topics.js'
import { bin, cleanEnv } from './command.js'
import { rystraHere as rystra } from './in-process.js'
import { Folders } from './folder.js'
import { RystraCommand } from '../src/command.js'
import commands from '../src/commands/index.js'

const readme = readFileSync(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8')

interface Command {
  readonly description?: string
  readonly examples: readonly string[]
  readonly flags: Readonly<Record<string, { readonly description?: string }>>
}

const all = commands as unknown as Readonly<Record<string, Command>>

/** Flags that every command has. */
const common = ['json', ...Object.keys(RystraCommand.baseFlags)]

describe('the command', () => {
  const folders = new Folders()
  afterEach(() => folders.clean())

  for (const [id, command] of Object.entries(all)) {
    it(`${id} says what it does, with examples, and takes --json`, () => {
      expect(command.description).to.be.a('string').with.length.greaterThan(20)
      expect(command.examples.length).to.be.greaterThan(0)
      for (const example of command.examples) expect(example).to.match(/^<%= config\.bin %> <%= command\.id %>/)
      expect((command as { enableJsonFlag?: boolean }).enableJsonFlag).to.equal(true)
      for (const [name, flag] of Object.entries(command.flags)) {
        expect(flag.description, `--${name} is not described`).to.be.a('string')
        expect(common, `--${name} is there twice`).not.to.include(name)
      }
    })
  }

  it('has every exit code of the table of errors in the README', () => {
    const codes = new Set(Object.values(errorTable).map(({ exitCode }) => exitCode))
    for (const code of codes) expect(readme).to.match(new RegExp(`^\\| ${code} +\\|`, 'm'))
  })

  it('--help shows commands, topics and examples', async () => {
    const cwd = folders.make()
    const { code, out } = await rystra(['--help'], { cwd })
    expect(code).to.equal(0)
    for (const word of ['serve', 'connect', 'expose', 'init', 'check', 'plugins', 'extension'])
      expect(out).to.include(word)
    const one = await rystra(['expose', '--help'], { cwd })
    expect(one.out).to.include('EXAMPLES').and.include('rystra expose tcp 3000 --to')
  })

  it('takes a space for the colon of a topic', async () => {
    expect(joinTopic(['plugins', 'add', 'x'])).to.deep.equal(['plugins:add', 'x'])
    expect(joinTopic(['cert', 'show', 'x'])).to.deep.equal(['cert:show', 'x'])
    expect(joinTopic(['plugins', 'frob'])).to.deep.equal(['plugins', 'frob'])
    expect(joinTopic(['expose', 'tcp', '3'])).to.deep.equal(['expose', 'tcp', '3'])
    expect(joinTopic(['__proto__', 'x'])).to.deep.equal(['__proto__', 'x'])
    expect(joinTopic([])).to.deep.equal([])
    const { code, out } = await rystra(['plugins', 'list'], { cwd: folders.make() })
    expect(code).to.equal(0)
    expect(out).to.include('transport-tcp')
  })

  it('called wrongly, it says how, exits 2, and shows no stack', async () => {
    const cwd = folders.make()
    const cases: [args: string[], words: RegExp][] = [
      [['frob'], /no command "frob"/],
      [['check', '--frob'], /unknown flag: --frob/],
      [
        ['expose', 'http', '3000', '--subdomian', 'x'],
        /unknown flag: --subdomian\n {2}next: did you mean --subdomain\?/
      ],
      [['3000x'], /no command "3000x", and no service: expected a port or host:port/],
      [['check', '--hlep'], /unknown flag: --hlep\n {2}next: did you mean --help\?/],
      [['expose', 'tcp', '3000', '--server', 'x'], /unknown flag: --server\n {2}next: did you mean --to\?/],
      [['help', 'cert:sho'], /no command "cert:sho".*\n {2}next: did you mean `rystra cert:show`\?/],
      [['cert:clustr'], /did you mean `rystra cert:cluster`\?/],
      [['upgrad'], /did you mean `rystra upgrade`\?/],
      [['version'], /did you mean `rystra --version`\?/],
      [['srve'], /no command "srve"\n {2}next: did you mean `rystra serve`\?/],
      [['expose'], /Missing \d required args|Missing required flag/],
      [['serve', '--port', 'x'], /--port: expected an integer, got "x"\n/],
      [['serve', 'x'], /Unexpected argument: x/],
      [['init', '--role', 'boss'], /expected one of server, client, both, got --role=boss/]
    ]
    for (const [args, words] of cases) {
      const { code, out, err } = await rystra(args, { cwd })
      expect(code, args.join(' ')).to.equal(2)
      expect(err)
        .to.match(words)
        .and.match(/next: .*see `rystra/)
        // As the parser says it of flags that may be repeated.
        .and.not.include('Note:')
      expect(err).not.to.match(/^\s+at /m)
      expect(out).to.equal('')
    }
    const json = await rystra(['frob', '--json'], { cwd })
    expect(JSON.parse(json.out).error).to.include({ code: 'usage.invalid', exitCode: 2 })
  })

  it('--debug shows where an error comes from, with its causes', async () => {
    const { err } = await rystra(['check', '--debug'], { cwd: folders.make() })
    expect(err).to.match(/^\s+at /m)
  })

  it('an unexpected exception is an internal error that says so', () => {
    const error = asRystraError(new TypeError('x is not a function'))
    expect(error).to.include({ code: 'internal', exitCode: 1 })
    expect(errorJson('a text').message).to.include('a text')
  })

  it('tell a disk that is full from a fault of ours', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const error = asRystraError(full)
    expect(error).to.include({ code: 'file.failed', exitCode: 1 })
    expect(error.message).to.include('no space left')
    expect(error.hint).to.include('space')
  })

  it('--version says the version, once it is built', function () {
    if (!existsSync(fileURLToPath(new URL('../dist/main.js', import.meta.url)))) this.skip()
    const out = execFileSync(process.execPath, [bin, '--version'], { encoding: 'utf8', env: cleanEnv() })
    expect(out).to.match(/^rystra\/\d+\.\d+\.\d+ /)
  })
})
