/**
 * The directory on Redis beside each way in which Redis is run: TLS with a certificate of the client and a user of the ACL, Sentinel
 * with a failover, and a Redis Cluster whose master fails. Each holds two servers, their claims and their feed. Not part of `npm test`:
 * it needs redis-server and redis-cli (Debian: redis-server, redis-tools), and says aloud when they are missing.
 *
 *     npm run interop:redis                 # all
 *     npm run interop:redis tls sentinel    # some of it
 */
import clusterRedis from '@rystra/cluster-redis'
import { systemClock } from '@rystra/kernel'
import {
  type DirectoryChange,
  type DirectorySession,
  type DirectorySnapshot,
  RystraError,
  silentLog
} from '@rystra/plugin'
import { setUpExtension, until } from '@rystra/testkit'
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { makeCa, makeClient, makeServer } from '../../cli/src/certs/make.js'
import { RedisNodes } from './redis/nodes.js'

/** Milliseconds: as in a configuration that says nothing. */
const LEASE_MS = 3000
const GRACE_MS = 60_000
/** Milliseconds for a failover, elections and all. */
const FAILOVER_MS = 30_000

type Options = NonNullable<Parameters<typeof clusterRedis>[0]>

interface Server {
  readonly session: DirectorySession
  readonly snapshots: DirectorySnapshot[]
  readonly changes: DirectoryChange[]
}

const check = (right: boolean, what: string): void => {
  if (!right) throw new Error(`wrong: ${what}`)
}

/** Waits until it holds. Returns milliseconds. */
const reached = async (what: string, holds: () => Promise<boolean> | boolean): Promise<number> => {
  const begin = performance.now()
  await until(holds, what, FAILOVER_MS)
  return Math.round(performance.now() - begin)
}

const open = async (options: Options, name: string): Promise<Server> => {
  const [directory] = setUpExtension(clusterRedis(options), 'server').registered('directories')
  if (directory === undefined) throw new Error('no directory')
  const session = directory.open({
    cluster: 'interop',
    name,
    instance: `instance-of-${name}`,
    value: { host: '127.0.0.1', port: 1 },
    lease: LEASE_MS,
    grace: GRACE_MS,
    clock: systemClock,
    log: silentLog
  })
  const [snapshots, changes]: [DirectorySnapshot[], DirectoryChange[]] = [[], []]
  await session.join()
  await session.watch({ snapshot: (one) => snapshots.push(one), change: (one) => changes.push(one) })
  return { session, snapshots, changes }
}

const claim = (key: string, owner: string) => ({ key, id: `${owner}.${key}`, owner, value: { key } })

/** What two servers need of it while nothing fails. */
const works = async (options: Options): Promise<[Server, Server]> => {
  const [a, b] = [await open(options, 'a'), await open(options, 'b')]
  check('fence' in (await a.session.claim(claim('x', 'one'))), 'a claim is granted')
  check('held' in (await b.session.claim(claim('x', 'two'))), 'and to no other')
  await reached('b to hear of it', () => b.changes.some((one) => one.type === 'held' && one.row.key === 'x'))
  check(await a.session.renew(), 'the lease is renewed')
  await a.session.release('x', 'one.x')
  await reached('b to hear that it is gone', () => b.changes.some((one) => one.type === 'released'))
  return [a, b]
}

/** After a failover, which may have lost what was written last: claims are made again, and the feed goes on. */
const recovers = async ([a, b]: [Server, Server]): Promise<number> => {
  const ms = await reached('a lease after the failover', async () => {
    try {
      for (const { session } of [a, b]) if (!(await session.renew())) await session.join()
      return 'fence' in (await a.session.claim(claim('y', 'one')))
    } catch (error) {
      if (error instanceof RystraError && /^cluster\.(unavailable|fenced|name-taken)$/.test(error.code)) return false
      throw error
    }
  })
  await reached('b to hear of a claim after it', async () => {
    await b.session.renew()
    const rows = b.snapshots.flatMap((one) => one.rows)
    return [...rows, ...b.changes.flatMap((one) => (one.type === 'held' ? one.row : []))].some(({ key }) => key === 'y')
  })
  check('held' in (await b.session.claim(claim('y', 'two'))), 'a claim is held after it')
  return ms
}

const leave = async (servers: readonly Server[]): Promise<void> => {
  for (const { session } of servers) await session.leave()
}

const codeOf = async (options: Options): Promise<string> => {
  try {
    await leave([await open(options, 'c')])
    return 'none'
  } catch (error) {
    return `${(error as RystraError).code} ${(error as RystraError).detail}`
  }
}

/** As in the guide. */
const ACL = '>a-long-password ~{rystra:* &{rystra:* +@all -@admin -@dangerous +info'

const tls = async (nodes: RedisNodes, folder: string): Promise<string> => {
  const out = { out: folder, force: false }
  const ca = await makeCa('Redis of the interop', out)
  await makeServer(['localhost', '127.0.0.1'], folder, out)
  await makeClient('rystra', [], folder, out)
  const file = (name: string): string => path.join(folder, name)
  await writeFile(file('users.acl'), `user default off\nuser rystra on ${ACL}\n`)
  const port = await nodes.single(
    [
      ...[
        '--tls-cert-file',
        file('server.pem'),
        '--tls-key-file',
        file('server-key.pem'),
        '--tls-ca-cert-file',
        ca.cert
      ],
      ...['--tls-auth-clients', 'yes', '--aclfile', file('users.acl')]
    ],
    { tls: true }
  )
  const secure = { ca: ca.cert, cert: file('rystra.pem'), key: file('rystra-key.pem') }
  const options = { url: `rediss://127.0.0.1:${port}`, username: 'rystra', password: 'a-long-password', ...secure }
  await leave(await works(options))
  const refused: Record<string, readonly [code: string, reason: RegExp]> = {
    'a wrong password': [await codeOf({ ...options, password: 'another-password' }), /WRONGPASS/],
    'no certificate of the client': [
      await codeOf({ ...options, cert: undefined, key: undefined } as Options),
      /certificate required|closed/i
    ],
    'an authority that is unknown': [await codeOf({ ...options, ca: undefined } as Options), /certificate/],
    'keys that the ACL does not allow': [await codeOf({ ...options, prefix: 'other' }), /NOPERM/],
    'no TLS': [await codeOf({ ...options, url: `redis://127.0.0.1:${port}` }), /closed|reset/i]
  }
  for (const [what, [code, reason]] of Object.entries(refused)) {
    check(code.startsWith('cluster.unavailable ') && reason.test(code), `${what}: ${code}`)
    console.log(`  ${what}: ${code.slice(0, 110)}`)
  }
  return 'TLS, a certificate of the client and a user of the ACL'
}

const sentinel = async (nodes: RedisNodes): Promise<string> => {
  const { sentinels, killMaster } = await nodes.sentinel()
  const options = {
    url: sentinels.map((port) => `redis://127.0.0.1:${port}`),
    mode: 'sentinel' as const,
    master: 'rystra'
  }
  const servers = await works(options)
  await killMaster()
  const ms = await recovers(servers)
  await leave(servers)
  return `Sentinel: claims are granted ${ms} ms after the master was killed`
}

const cluster = async (nodes: RedisNodes): Promise<string> => {
  const { ports, killOwner } = await nodes.cluster()
  const options = { url: ports.slice(0, 2).map((port) => `redis://127.0.0.1:${port}`), mode: 'cluster' as const }
  const servers = await works(options)
  await killOwner('{rystra:interop}:')
  const ms = await recovers(servers)
  await leave(servers)
  return `Redis Cluster: claims are granted ${ms} ms after the node with the keys was killed`
}

const trials = { tls, sentinel, cluster }

const main = async (): Promise<void> => {
  if (['redis-server', 'redis-cli'].some((name) => spawnSync(name, ['--version']).status !== 0)) {
    console.log('skipped: there is no redis-server or redis-cli on this machine (Debian: redis-server)')
    return
  }
  const wanted = process.argv.slice(2)
  for (const [name, run] of Object.entries(trials)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    const folder = await mkdtemp(path.join(tmpdir(), 'rystra-interop-redis-'))
    const nodes = new RedisNodes(folder)
    try {
      console.log(await run(nodes, folder))
    } catch (error) {
      console.log(`${name}: ${(error as Error).stack}`)
      process.exitCode = 1
    } finally {
      await nodes.stop()
      await rm(folder, { recursive: true, force: true })
    }
  }
}

await main()
process.exit()
