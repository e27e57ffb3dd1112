import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { stringify } from 'yaml'
import { loopback } from '../../bench/address.js'
import { type Scratch, untilSays } from '../../bench/scratch.js'
import { freePort } from '../visitors/free-port.js'
import { must, type Trial } from '../visitors/trial.js'
import { cli } from '../visitors/tunnel.js'
import { untilListens } from '../visitors/until-listens.js'

const token = 'full-disk-token-0123456789'
const VISITORS = 40

/** Where lines of a server go: to a file on the small file system, each in another way. */
interface Sink {
  readonly what: string
  readonly args?: readonly string[]
  readonly log?: object
  readonly audit?: object | string
  /** Without a configuration, where people read of each connection. */
  readonly quick?: boolean
  /** The descriptor that is a file. */
  readonly descriptor?: 1 | 2
  /** Checks that lost lines are counted; the answer is what says so. */
  readonly count: (text: string) => string
}

const line =
  (pattern: RegExp) =>
  (text: string): string => {
    const found = text.split('\n').find((one) => pattern.test(one))
    must(found !== undefined, `no line tells of lost lines: ${text.slice(-600)}`)
    return found.slice(0, 120)
  }

/** Records wait in a queue while the disk is full; a gap in their numbers has to be said. */
const records = (text: string): string => {
  const all = text
    .split('\n')
    .flatMap((one) => (one.startsWith('{') && one.endsWith('}') ? [JSON.parse(one) as Record<string, unknown>] : []))
    .filter(({ seq }) => seq !== undefined)
  const numbers = new Set(all.map(({ seq }) => Number(seq)))
  const lost = all.reduce((sum, { type, count }) => sum + (type === 'audit.lost' ? Number(count) : 0), 0)
  const missing = Math.max(...numbers) - numbers.size
  must(
    missing === lost && all.at(-1)?.['type'] === 'audit.stop',
    `${missing} records are missing, ${lost} said: ${text.slice(-600)}`
  )
  return `${numbers.size} records, ${missing} lost and said so`
}

const sinks: readonly Sink[] = [
  { what: 'log on stderr, JSON', log: { level: 'debug' }, descriptor: 2, count: line(/lines could not be written/) },
  {
    what: 'log on stderr, pretty',
    log: { level: 'debug', pretty: true },
    descriptor: 2,
    count: line(/lines could not be written/)
  },
  { what: '--json on stdout', args: ['--json'], descriptor: 1, count: line(/"event":"lost","lines":\d+/) },
  { what: 'lines for people on stdout', quick: true, descriptor: 1, count: line(/lines? could not be written/) },
  { what: 'audit on stdout', audit: 'stdout', descriptor: 1, count: records },
  { what: 'audit in a file', audit: { file: 'audit.ndjson', compress: false }, count: records }
]

export const visit = async (port: number): Promise<void> => {
  const socket = net.connect(port, loopback)
  socket.on('error', () => {})
  socket.write('x')
  const answer = await Promise.race([
    once(socket, 'data').then(() => 'data'),
    once(socket, 'close').then(() => 'closed')
  ])
  socket.destroy()
  must(answer === 'data', 'a visitor was not served')
}

/** Makes a line in each log: a peer that does not speak the protocol is refused. */
const disturb = async (port: number): Promise<void> => {
  const socket = net.connect(port, loopback)
  socket.on('error', () => {}).resume()
  socket.end('GET / HTTP/1.0\r\n\r\n')
  await once(socket, 'close')
}

/** Writes until there is no room for one byte more. */
export const fill = (file: string): void => {
  const to = fs.openSync(file, 'w')
  try {
    for (let size = 4096; size >= 1; ) {
      try {
        fs.writeSync(to, Buffer.alloc(size, 'x'))
      } catch {
        size = Math.floor(size / 2)
      }
    }
  } finally {
    fs.closeSync(to)
  }
}

const use = async (scratch: Scratch, disk: string, service: number, sink: Sink): Promise<string> => {
  const { what, args = [], log, audit, quick = false, descriptor, count: countLost } = sink
  const folder = fs.mkdtempSync(path.join(disk, 'run-'))
  const port = await freePort()
  const to = typeof audit === 'object' ? { ...audit, file: path.join(folder, 'audit.ndjson') } : audit
  const config = scratch.write(
    `${what.replaceAll(/\W+/g, '-')}.yaml`,
    stringify({
      ...(log === undefined ? {} : { log }),
      extensions: [
        { use: '@rystra/auth-token', options: { tokens: [{ identity: 'test', token }] } },
        ...(audit === undefined ? [] : [{ use: '@rystra/hook-audit', options: { to } }])
      ],
      server: { listen: [{ transport: 'tcp', host: loopback, port }], publish: { host: loopback } }
    })
  )
  const file = path.join(folder, audit === undefined || descriptor !== undefined ? 'out' : 'audit.ndjson')
  const fd = descriptor === undefined ? undefined : fs.openSync(file, 'a')
  const stdio = [0, 1, 2].map((one) => (one === 0 ? 'ignore' : one === descriptor ? fd : 'pipe'))
  const listen = [
    '--transport',
    'tcp',
    '--host',
    loopback,
    '--port',
    String(port),
    '--http-port',
    '0',
    '--token',
    token
  ]
  const from = quick ? listen : ['--config', config]
  const server = scratch.start(process.execPath, [cli, 'serve', ...from, ...args], {
    stdio: stdio as ['ignore', 'pipe', 'pipe'],
    cwd: scratch.dir
  })
  if (fd !== undefined) fs.closeSync(fd)
  await untilListens(port)
  fill(path.join(disk, 'filler'))
  const expose = ['expose', 'tcp', String(service), '--json', '--to', `tcp://${loopback}:${port}`, '--token', token]
  const client = scratch.start(process.execPath, [cli, ...expose], { cwd: scratch.dir })
  const [, published] = await untilSays(client, /"event":"published".*?"address":"[^"]*:(\d+)"/)
  for (let count = 0; count < VISITORS; count += 1) {
    await visit(Number(published))
    await disturb(port)
  }
  fs.rmSync(path.join(disk, 'filler'))
  for (let count = 0; count < 3; count += 1) {
    await visit(Number(published))
    await disturb(port)
  }
  await scratch.end(client.child)
  const gone = once(server.child, 'exit')
  server.child.kill('SIGTERM')
  const [code] = await gone
  const text = fs.readFileSync(file, 'utf8')
  fs.rmSync(folder, { recursive: true, force: true })
  must(code === 0, `it ended with ${code}: ${server.said()}`)
  return `${VISITORS} visitors served meanwhile, ended with 0; then: ${countLost(text)}`
}

export const fullDisk: Trial = {
  name: 'full-disk',
  programs: ['mount', 'umount'],
  async use(scratch, report) {
    if (process.getuid?.() !== 0) {
      report.skip('all of it', 'it needs root')
      return
    }
    const disk = path.join(scratch.dir, 'disk')
    fs.mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk])
    const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
    echo.listen(0, loopback)
    await once(echo, 'listening')
    try {
      const { port } = echo.address() as net.AddressInfo
      for (const sink of sinks) await report.check(sink.what, () => use(scratch, disk, port, sink))
    } finally {
      echo.close()
      // Programs still have files there when a check failed.
      execFileSync('umount', ['--lazy', disk])
    }
  }
}
