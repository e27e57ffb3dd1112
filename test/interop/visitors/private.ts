import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { loopback } from '../../bench/address.js'
import { freePort } from './free-port.js'
import { type Scratch, untilSays } from '../../bench/scratch.js'
import { must, outcome, type Report, run, type Trial } from './trial.js'
import { Tunnel } from './tunnel.js'
import { untilListens } from './until-listens.js'

const secret = 'a-secret-of-a-good-length'

const redisServer = async (scratch: Scratch): Promise<number> => {
  const port = await freePort()
  const where = ['--bind', loopback, '--port', String(port), '--save', '', '--dir', scratch.dir]
  await untilSays(scratch.start('redis-server', where), /Ready to accept connections/)
  return port
}

const redis = async (port: number, ...words: string[]): Promise<string> =>
  (await run('redis-cli', ['-h', loopback, '-p', String(port), ...words])).stdout.trimEnd()

const useRedis = async (port: number): Promise<string> => {
  const value = createHash('sha256').update('value').digest('hex').repeat(1000)
  must((await redis(port, 'SET', 'key', value)) === 'OK', 'SET failed')
  must((await redis(port, 'GET', 'key')) === value, 'GET brought something else')
  return '64,000 bytes there and back'
}

const benchmark = async (port: number): Promise<string> => {
  const load = ['-h', loopback, '-p', String(port), '-n', '30000', '-c', '50', '-t', 'set,get', '-q']
  const { stdout } = await run('redis-benchmark', load)
  const rates = [...stdout.matchAll(/(SET|GET): ([\d.]+) requests per second, p50=([\d.]+)/g)]
  must(rates.length === 2, stdout)
  return rates
    .map(([, what, rate, p50]) => `${what} ${Math.round(Number(rate)).toLocaleString('en')}/s, p50 ${p50} ms`)
    .join('; ')
}

/** Where Debian has the programs of a server, if there is one. */
const postgresPrograms = (): string | undefined => {
  try {
    const [version] = readdirSync('/usr/lib/postgresql').sort().reverse()
    return version === undefined ? undefined : `/usr/lib/postgresql/${version}/bin`
  } catch {
    return undefined
  }
}

/** PostgreSQL does not run as root: then the user postgres runs it. */
const account = (): { uid: number; gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const of = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: of('-u'), gid: of('-g') }
}

/** A server with a database of its own; its data is gone with `close`. */
const postgresServer = async (scratch: Scratch, programs: string): Promise<{ port: number; close(): void }> => {
  const user = account()
  const dir = mkdtempSync(path.join(os.tmpdir(), 'rystra-postgres-'))
  if (user !== undefined) chownSync(dir, user.uid, user.gid)
  const data = path.join(dir, 'data')
  const options = { cwd: dir, ...user }
  execFileSync(`${programs}/initdb`, ['-D', data, '-U', 'visitor', '-A', 'trust', '--no-sync'], {
    ...options,
    stdio: 'ignore'
  })
  const port = await freePort()
  scratch.start(`${programs}/postgres`, ['-D', data, '-h', loopback, '-p', String(port), '-k', dir, '-F'], options)
  await untilListens(port)
  return { port, close: () => rmSync(dir, { recursive: true, force: true }) }
}

const usePostgres = async (port: number): Promise<string> => {
  const psql = async (sql: string): Promise<string> => {
    const to = [
      '-X',
      '-q',
      '-t',
      '-A',
      '-v',
      'ON_ERROR_STOP=1',
      '-h',
      loopback,
      '-p',
      String(port),
      '-U',
      'visitor',
      '-d',
      'postgres'
    ]
    return (await run('psql', [...to, '-c', sql])).stdout.trimEnd()
  }
  await psql('CREATE TABLE rows AS SELECT n, md5(n::text) AS sum FROM generate_series(1, 100000) AS n')
  const all = await psql('SELECT n, sum FROM rows ORDER BY n')
  const lines = all.split('\n')
  const sum = createHash('md5').update('100000').digest('hex')
  must(lines.length === 100_000 && lines.at(-1) === `100000|${sum}`, `${lines.length} rows, last ${lines.at(-1)}`)
  return `a table of 100,000 rows made and read, ${(all.length / 1e6).toFixed(1)} MB`
}

/** A visitor that does not have what it needs. */
const refused = async (scratch: Scratch, tunnel: Tunnel, name: string, key: string): Promise<string> => {
  const port = await freePort()
  const visitor = tunnel.client(['visit', name, '--bind', `${loopback}:${port}`], { RYSTRA_SECRET: key })
  try {
    await untilSays(visitor, /"event":"visiting"/)
    const { code, stdout, stderr } = await outcome('redis-cli', ['-h', loopback, '-p', String(port), 'PING'])
    must(!stdout.includes('PONG'), 'it was accepted')
    const [, message = ''] = await untilSays(visitor, /"code":"stream\.no-visits","message":"([^"]*)"/)
    must(!visitor.said().includes(key), 'the secret is shown')
    return `redis-cli (exit ${code}): ${(stderr + stdout).trim()}; the visitor is told stream.no-visits: ${message}`
  } finally {
    await scratch.end(visitor.child)
  }
}

const withRedis = async (scratch: Scratch, tunnel: Tunnel, service: number, report: Report): Promise<void> => {
  const port = await freePort()
  const visitor = tunnel.client(['visit', 'cache', '--bind', `${loopback}:${port}`], { RYSTRA_SECRET: secret })
  await untilSays(visitor, /"event":"visiting"/)
  await report.check('redis-cli, `rystra visit`', () => useRedis(port))
  await report.check('a wrong secret', () => refused(scratch, tunnel, 'cache', 'not-the-secret-that-it-has'))
  await report.check('a name that is not published', () => refused(scratch, tunnel, 'nothing', secret))
  await report.check('redis-cli after that', () => useRedis(port))
  await report.check('redis-benchmark, no tunnel', () => benchmark(service))
  await report.check('redis-benchmark, 50 visitors', () => benchmark(port))
  await scratch.end(visitor.child)
}

export const privateServices: Trial = {
  name: 'private',
  programs: [],
  async use(scratch, report) {
    const programs = postgresPrograms()
    const [cache, db] = [
      report.has('redis', 'redis-server', 'redis-cli', 'redis-benchmark') ? await redisServer(scratch) : undefined,
      report.has('psql', 'psql') && programs !== undefined ? await postgresServer(scratch, programs) : undefined
    ]
    if (programs === undefined) report.skip('psql', 'no server of PostgreSQL found')
    try {
      const tunnel = await Tunnel.serve(scratch, { name: 'private', extensions: ['@rystra/proxy-private'] })
      const entry = (name: string, local: number | undefined): Readonly<Record<string, unknown>>[] =>
        local === undefined ? [] : [{ name, kind: 'private', local, secret }]
      const client = await tunnel.connect('owner', { proxies: [...entry('cache', cache), ...entry('db', db?.port)] })
      report.watch(tunnel.server, client)
      if (cache !== undefined) await withRedis(scratch, tunnel, cache, report)
      if (db === undefined) return
      const bind = await freePort()
      await tunnel.connect('guest', { forwards: [{ name: 'sql', of: 'db', secret, bind: `${loopback}:${bind}` }] })
      await report.check('psql, visitors of a configuration', () => usePostgres(bind))
    } finally {
      db?.close()
    }
  }
}
