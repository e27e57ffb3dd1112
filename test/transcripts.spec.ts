import { expect } from 'chai'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import path from 'node:path'
import { type Outcome, rystra, Running } from '../cli/test/command.js'
import { tempFolder, write } from '../cli/test/folder.js'
import { rystraHere } from '../cli/test/in-process.js'
import { freePort } from './bench/address.js'
import { type Block, pages } from './markdown.js'
import { root } from './workspaces.js'

/**
 * Commands in blocks of the language `console` are run, and have to say what the page says, but for numbers. With
 * RYSTRA_TRANSCRIPTS=write the page is written instead.
 */
const FILE = 'docs/guide/transcripts.md'
const writes = process.env['RYSTRA_TRANSCRIPTS'] === 'write'

const { blocks } = pages().find(({ file }) => file === FILE) as { blocks: readonly Block[] }

/** `server$ rystra top`, and what it says. */
interface Entry {
  readonly prompt: string
  readonly folder: string
  readonly args: readonly string[]
  readonly output: string
}

const prompt = /^([a-z]+)\$ rystra (.*)$/

const entriesOf = ({ text }: Block): Entry[] => {
  const entries: { prompt: string; folder: string; args: string[]; lines: string[] }[] = []
  for (const line of text.trimEnd().split('\n')) {
    const [, folder, command] = prompt.exec(line) ?? []
    if (folder !== undefined && command !== undefined)
      entries.push({ prompt: line, folder, args: command.split(' '), lines: [] })
    else entries.at(-1)?.lines.push(line)
  }
  return entries.map(({ lines, ...entry }) => ({ ...entry, output: lines.join('\n').trimEnd() }))
}

/** Variables that doctor would report. */
const noProxies = Object.fromEntries(
  ['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'].flatMap((name) => [
    [name, ''],
    [name.toUpperCase(), '']
  ])
)

/** The same for two runs that say the same: numbers, ids and the width of columns differ. */
const comparable = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .replace(/\b(linux|darwin|win32) \w+/, 'system')
        .replaceAll(/\b[0-9a-f]{8,}\b/g, '#')
        .replaceAll(/\d+(?:[.,:]\d+)*/g, '#')
        .replaceAll(/# (?:d|h|min|s|ms|B|kB|MB|GB)\b(?: # (?:h|min|s)\b)?/g, '#')
        .replaceAll(/\s+/g, ' ')
        .trim()
    )

describe('the transcripts of the guide', () => {
  const folder = tempFolder()
  const running: Running[] = []
  const closing: (() => unknown)[] = []
  /** Ports of the page, and those of this run. */
  const ports = new Map<string, string>()
  const env = { OFFICE_TOKEN: 'a-token-for-the-transcripts', ...noProxies }

  /** With the ports of this run in place of those of the page. */
  const here = (text: string): string => text.replaceAll(/\b\d{4,5}\b/g, (port) => ports.get(port) ?? port)
  const back = (text: string): string => {
    const pages = new Map([...ports].map(([page, port]) => [port, page]))
    return text.replaceAll(/\b\d{4,5}\b/g, (port) => pages.get(port) ?? port).replaceAll(folder, '/srv')
  }

  const start = (name: string, command: string): Running => {
    const one = new Running([command, '--json'], { cwd: path.join(folder, name), env })
    running.push(one)
    return one
  }

  const configure = (block: Block): void => {
    const [, file] = /^# (\S+)\n/.exec(block.text) ?? []
    if (file !== undefined) write(folder, { [file]: here(block.text) })
  }

  before(async function () {
    this.timeout(20_000)
    const service = http.createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1')
    const ssh = net.createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await Promise.all([once(service, 'listening'), once(ssh, 'listening')])
    closing.push(
      () => service.close().closeAllConnections(),
      () => ssh.close()
    )
    ports.set('3000', String((service.address() as net.AddressInfo).port))
    ports.set('2222', String((ssh.address() as net.AddressInfo).port))
    for (const port of ['8080', '7000', '7001', '20022', '20080']) ports.set(port, String(await freePort()))
    for (const name of ['server', 'office']) mkdirSync(path.join(folder, name))
    const [server, office] = blocks.filter(({ language }) => language === 'yaml')
    configure(server as Block)
    configure(office as Block)
    await start('server', 'serve').event('listening')
    const client = start('office', 'connect')
    await client.event('published', ({ name }) => name === 'ssh')
    await client.event('published', ({ name }) => name === 'app')
    const visited = once(ssh, 'connection')
    const session = net.connect(Number(ports.get('20022')), '127.0.0.1').on('error', () => {})
    closing.push(() => session.destroy())
    await visited
  })

  after(async () => {
    for (const close of closing.splice(0).reverse()) close()
    for (const one of running.splice(0)) await one.signal('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  /** A doctor whose checks are late ends its process. */
  const run = ({ folder: name, args }: Entry): Promise<Outcome> =>
    (args[0] === 'doctor' ? rystra : rystraHere)(args.map(here), { cwd: path.join(folder, name), env })

  const written = new Map<Block, string>()

  for (const block of blocks) {
    if (block.language === 'yaml') it(`${FILE}:${block.line} is put in place`, () => configure(block))
    if (block.language !== 'console') continue
    for (const entry of entriesOf(block)) {
      it(`${FILE}:${block.line} ${entry.prompt}`, async () => {
        const { out, err } = await run(entry)
        const said = back(`${out}${err}`.replaceAll(/[ \t]+$/gm, '').trimEnd())
        if (writes) written.set(block, `${written.get(block) ?? ''}${entry.prompt}\n${said}\n`)
        else expect(comparable(said)).to.deep.equal(comparable(entry.output))
      })
    }
  }

  if (writes)
    it('are written', () => {
      let text = readFileSync(path.join(root, FILE), 'utf8')
      for (const [block, said] of written)
        text = text.replace(`\`\`\`console\n${block.text}\`\`\``, () => `\`\`\`console\n${said}\`\`\``)
      writeFileSync(path.join(root, FILE), text)
    })
})
