/**
 * Three servers, a Redis and clients of two tenants, as processes: each is killed in turn, and the time is measured until every name answers
 * again at every server that is up. No visitor may ever be answered by another name. Needs redis-server (Debian: redis-server).
 *
 *     npm run interop:cluster                              # 20 clients, on loopback
 *     npm run interop:cluster -- scale                     # 1,000 clients, 3,000 names, hosts of their own, links that are cut (root)
 *     npm run interop:cluster -- scale --clients 60 --each 3 --holders 1 --redundancy 2
 */
import authToken from '@rystra/auth-token'
import { type Client, createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import proxyTcp from '@rystra/proxy-tcp'
import transportTcp from '@rystra/transport-tcp'
import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { makeMembers } from '../../cli/src/certs/members.js'
import { freePort } from '@rystra/testkit'

const CLIENTS = Number(process.argv[2] ?? 20)
const NAMES_EACH = 5
const FIRST_PORT = 21_000
/** A name that does not answer within this time is asked again. */
const ANSWER_MS = 3000
const GIVE_UP_MS = 60_000
/** Visitors at a time. */
const AT_ONCE = 50

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

class Member {
  process: ChildProcess | undefined
  constructor(
    readonly name: string,
    readonly host: string,
    readonly port: number,
    readonly peerPort: number
  ) {}

  get up(): boolean {
    return this.process !== undefined
  }

  async start(url: string, folder: string): Promise<void> {
    const file = new URL('./cluster/member.ts', import.meta.url).pathname
    const args = [this.name, this.host, String(this.port), String(this.peerPort), url, folder]
    this.process = fork(file, args, {
      execArgv: ['--conditions=rystra-source', '--import=tsx'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc']
    })
    await once(this.process, 'message')
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const { process } = this
    this.process = undefined
    if (process === undefined) return
    const gone = once(process, 'exit')
    process.kill(signal)
    await gone
  }
}

/** The answer at a port, or nothing. */
const ask = (host: string, port: number): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = net.connect(port, host)
    const timer = setTimeout(() => socket.destroy(), ANSWER_MS)
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(text === '' ? undefined : text)
    })
  })

const main = async (): Promise<void> => {
  if (spawnSync('redis-server', ['--version']).status !== 0) {
    console.log('skipped: there is no redis-server on this machine (Debian: apt-get install redis-server)')
    return
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'rystra-interop-cluster-'))
  await makeMembers(['a', 'b', 'c'], { out: folder, force: false })
  const redisPort = await freePort()
  const url = `redis://127.0.0.1:${redisPort}`
  let redis: ChildProcess | undefined
  const startRedis = async (): Promise<void> => {
    const args = ['--port', String(redisPort), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
    redis = spawn('redis-server', args, { stdio: 'ignore' })
    for (;;) {
      const socket = net.connect(redisPort, '127.0.0.1')
      const up = await once(socket, 'connect').then(
        () => true,
        () => false
      )
      socket.destroy()
      if (up) return
      await pause(20)
    }
  }
  const stopRedis = async (): Promise<void> => {
    const process = redis
    redis = undefined
    if (process === undefined) return
    const gone = once(process, 'exit')
    process.kill('SIGKILL')
    await gone
  }

  await startRedis()
  const members: Member[] = []
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    members.push(new Member(name, `127.0.0.${index + 1}`, await freePort(), await freePort()))
  }
  await Promise.all(members.map((member) => member.start(url, folder)))

  const services: net.Server[] = []
  const clients: Client[] = []
  const names: { readonly name: string; readonly port: number }[] = []
  for (let index = 0; index < CLIENTS; index += 1) {
    const tenant = index % 2 === 0 ? 'one' : 'two'
    const proxies = []
    for (let each = 0; each < NAMES_EACH; each += 1) {
      const name = `${tenant}-${index}-${each}`
      const service = net.createServer((socket) => socket.on('error', () => {}).end(name)).listen(0, '127.0.0.1')
      await once(service, 'listening')
      services.push(service)
      const port = FIRST_PORT + index * NAMES_EACH + each
      proxies.push({ name, kind: 'tcp', local: (service.address() as net.AddressInfo).port, port })
      names.push({ name, port })
    }
    const token = tenant === 'one' ? 'a-token-of-the-first-tenant' : 'a-token-of-the-second-tenant'
    const client = await createClient({
      extensions: [transportTcp, muxYamux, proxyTcp, authToken({ token })],
      client: {
        id: `client-${index}`,
        connect: { transport: 'tcp', servers: members.map(({ host, port }) => `${host}:${port}`) },
        proxies
      }
    })
    clients.push(client)
  }
  await Promise.all(clients.map((client) => client.start()))

  let wrong = 0
  let answers = 0
  /** Milliseconds until every name has answered at every server that is up. */
  const allAnswer = async (): Promise<number> => {
    const begin = performance.now()
    let left = members.filter(({ up }) => up).flatMap(({ host }) => names.map((each) => ({ ...each, host })))
    while (left.length > 0) {
      const still: typeof left = []
      for (let at = 0; at < left.length; at += AT_ONCE) {
        await Promise.all(
          left.slice(at, at + AT_ONCE).map(async (one) => {
            const answer = await ask(one.host, one.port)
            if (answer === undefined) still.push(one)
            else if (answer === one.name) answers += 1
            else wrong += 1
          })
        )
      }
      left = still
      if (performance.now() - begin > GIVE_UP_MS)
        throw new Error(`${left.length} names do not answer: ${left[0]?.name}`)
    }
    return Math.round(performance.now() - begin)
  }
  const rows: [string, number][] = []
  const measure = async (what: string): Promise<void> => {
    const ms = await allAnswer()
    rows.push([what, ms])
    console.log(`${what.padEnd(52)} ${String(ms).padStart(6)} ms`)
  }

  try {
    await measure('all up')
    await measure('all up, again: what asking alone costs')
    for (const member of members) {
      await member.end('SIGKILL')
      await measure(`${member.name} killed (SIGKILL)`)
      await member.start(url, folder)
      await measure(`${member.name} started again`)
    }
    const [a] = members as [Member]
    await a.end('SIGTERM')
    await measure('a stopped (SIGTERM)')
    await a.start(url, folder)
    await measure('a started again')
    await stopRedis()
    await measure('Redis killed')
    await startRedis()
    await measure('Redis started again, empty')
    await pause(5000)
    await measure('five seconds later')
    console.log(`${names.length} names, ${answers} answers, ${wrong} of them wrong`)
    if (wrong > 0) process.exitCode = 1
  } finally {
    await Promise.all(clients.map((client) => client.stop({ drain: 0 })))
    for (const member of members) await member.end('SIGKILL')
    for (const service of services) service.close()
    await stopRedis()
    await rm(folder, { recursive: true })
  }
}

if (process.argv[2] === 'scale') process.exit(await (await import('./cluster/scale.js')).scale(process.argv.slice(3)))
await main()
