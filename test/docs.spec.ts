import { errorTable } from '@rystra/model'
import { expect } from 'chai'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { checkConfig } from '../cli/src/check.js'
import commands from '../cli/src/commands/index.js'
import { pages as generated, present, rendered } from '../scripts/docs/pages.js'
import { writeExampleCertificates } from './example-certificates.js'
import { anchors, type Block, pages } from './markdown.js'
import { commandsOf, problemOf } from './shell-lines.js'
import { compileErrors, compileExamples } from './typescript-blocks.js'
import { root } from './workspaces.js'

const all = pages()
const blocks = all.flatMap((page) => page.blocks)
/** Decisions record how things were: their blocks are not run. */
const instructions = blocks.filter(({ page }) => !page.startsWith('docs/adr/'))
const where = ({ page, line }: Block): string => `${page}:${line}`

describe('the documentation', () => {
  it('has links that lead somewhere', () => {
    const broken: string[] = []
    for (const page of all) {
      for (const [, target = ''] of page.prose.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue
        const [file = '', anchor] = target.split('#')
        const found = file === '' ? page.file : path.join(path.dirname(page.file), file)
        const other = all.find((each) => each.file === found)
        if (!existsSync(path.join(root, found))) broken.push(`${page.file}: ${target}`)
        else if (anchor !== undefined && other !== undefined && !anchors(other).has(anchor)) {
          broken.push(`${page.file}: ${target} has no such heading`)
        }
      }
    }
    expect(broken).to.deep.equal([])
  })

  it('has TypeScript that compiles, unless it is marked `no-check`', () => {
    const checked = instructions.filter(({ language, mark }) => language === 'ts' && mark !== 'no-check')
    expect(checked.length).to.be.greaterThan(2)
    expect(compileErrors(checked)).to.deep.equal([])
  })

  it('has examples that compile with the declarations that were built, as packages of their own do', () => {
    const { projects, options, errors } = compileExamples()
    expect(projects).to.be.greaterThan(2)
    for (const other of options) expect(other, 'one program has the options of all').to.deep.equal(options[0])
    expect(errors, 'what the compiler says').to.equal('')
  })

  it('has commands and flags that exist', () => {
    const problems = instructions
      .filter(({ language }) => language === 'sh')
      .flatMap((block) => commandsOf(block).map((line) => [block, line, problemOf(line, commands as never)] as const))
      .filter(([, , problem]) => problem !== undefined)
      .map(([block, line, problem]) => `${where(block)}: ${line.join(' ')}: ${problem}`)
    expect(problems).to.deep.equal([])
  })

  it('is not about to accept any command at all', () => {
    const block: Block = { page: '', line: 0, language: 'sh', mark: '', file: undefined, text: '' }
    const problem = (text: string): string | undefined =>
      commandsOf({ ...block, text })
        .map((line) => problemOf(line, commands as never))
        .find((found) => found !== undefined)
    expect(problem('npx rystra check --config a.yaml # fine')).to.equal(undefined)
    expect(problem('cd x && npx rystra chekc')).to.match(/no command/)
    expect(problem('rystra check --confg a.yaml')).to.match(/no flag/)
    expect(problem('rystra check one two')).to.match(/arguments/)
    expect(problem('npm run chekc')).to.match(/no script/)
  })

  it('says nothing else than the code in the generated pages; `npm run docs` writes them', async () => {
    const made = await generated()
    expect(made.map(({ file }) => file)).to.include('docs/reference/errors.md')
    for (const page of made) expect(present(page), page.file).to.equal(await rendered(page))
  })

  it('has every error code and no other', () => {
    const text = readFileSync(path.join(root, 'docs/reference/errors.md'), 'utf8')
    const documented = [...text.matchAll(/^\| `([a-z.-]+)` \|/gm)].map((match) => match[1])
    expect(documented.sort()).to.deep.equal(Object.keys(errorTable).sort())
  })
})

describe('configurations in the documentation', () => {
  const keys = ['$schema', 'extensions', 'log', 'server', 'client']
  const cache = path.join(root, 'node_modules/.cache/rystra')
  const before = { ...process.env }
  let dir = ''

  /** Files that a page tells to make, such as hooks. */
  const files = instructions.filter(({ language, file }) => language === 'ts' && file !== undefined)

  const configs = instructions.filter(({ language, text, mark }) => {
    if (language !== 'yaml' || mark === 'no-check') return false
    const value: unknown = parse(text)
    return typeof value === 'object' && value !== null && Object.keys(value).every((key) => keys.includes(key))
  })

  const variables = configs.flatMap(({ text }) => [...text.matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name))

  beforeEach(() => {
    // Inside of the repository, so that hooks find the packages they import.
    mkdirSync(cache, { recursive: true })
    dir = mkdtempSync(path.join(cache, 'docs-'))
    for (const name of variables) process.env[name] = 'a-secret-for-the-documentation'
    for (const { file = '', text } of files) {
      mkdirSync(path.join(dir, path.dirname(file)), { recursive: true })
      writeFileSync(path.join(dir, file), text)
    }
  })

  afterEach(() => {
    rmSync(dir, { recursive: true, force: true })
    for (const name of variables) delete process.env[name]
    Object.assign(process.env, before)
  })

  it('are there', () => expect(configs.length).to.be.greaterThan(0))

  for (const block of configs) {
    it(`${where(block)} is valid, with every extension set up`, async () => {
      const { server, client } = parse(block.text) as Record<string, unknown>
      // A page that shows extensions alone leaves the rest to the reader.
      const rest =
        server === undefined && client === undefined ? 'server: { listen: [{ transport: tcp, port: 7000 }] }\n' : ''
      writeFileSync(path.join(dir, 'rystra.config.yaml'), block.text + rest)
      await writeExampleCertificates(parse(block.text), dir)
      const checked = await checkConfig(dir)
      expect(checked.valid).to.equal(true)
    })
  }
})
