/**
 * `rystra serve --members 3 --reuse-port` on one machine: three processes on the same ports, in a cluster on Redis. Clients and visitors
 * are spread over them by the system, and each name answers on every connection. Not part of `npm test`: it needs Node from 22.12 on
 * and redis-server (Debian), and says aloud when they are missing.
 *
 *     npm run interop:members                                    # with this Node
 *     npm i --prefix /tmp/node node@22 && RYSTRA_NODE=/tmp/node/node_modules/.bin/node npm run interop:members
 */
import authToken from '@rystra/auth-token'
import { adminSocketPath } from '@rystra/admin-http/socket'
import { type Client, createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import proxyHttp from '@rystra/proxy-http'
import { freePort, until } from '@rystra/testkit'
import transportTcp from '@rystra/transport-tcp'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import type net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { AdminApi } from '../../cli/src/admin/admin-api.js'
import { makeMembers } from '../../cli/src/certs/members.js'

const MEMBERS = 3
const CLIENTS = 24
const VISITS = 120
/** Milliseconds for three processes to start on a busy machine. */
const START_MS = 90_000
const TOKEN = 'a-token-of-all-clients'

const node = process.env['RYSTRA_NODE'] ?? process.execPath

const reusesPorts = (): boolean => {
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' })
  const [, major = 0, minor = 0] = (/^v(\d+)\.(\d+)/.exec(stdout) ?? []).map(Number)
  return process.platform === 'linux' && (major > 23 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12))
}

/** Waits until it holds; until then it may also fail. */
const reached = (what: string, holds: () => Promise<boolean>): Promise<void> =>
  until(() => holds().catch(() => false), what, START_MS)

const ask = async (port: number, host: string): Promise<string> => {
  const request = http.get({ host: '127.0.0.1', port, agent: false, headers: { host } })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return `${response.statusCode} ${text}`
}

const configuration = (clients: number, web: number, redis: number): string => `extensions:
  - use: '@rystra/auth-token'
    options: { token: ${TOKEN} }
  - use: '@rystra/proxy-http'
    options: { listen: [{ host: 127.0.0.1, port: ${web} }] }
  - '@rystra/transport-tls'
  - use: '@rystra/cluster-redis'
    options: { url: 'redis://127.0.0.1:${redis}' }
server:
  listen: [{ transport: tcp, host: 127.0.0.1, port: ${clients} }]
  publish: { host: 127.0.0.1, on: any }
  cluster:
    name: a
    directory: redis
    host: 127.0.0.1
    port: 0
    ca: ca.pem
    cert: 'a-{member}.pem'
    key: 'a-{member}-key.pem'
`

const startClients = async (port: number): Promise<{ clients: Client[]; names: string[]; close(): void }> => {
  const [clients, names, services]: [Client[], string[], http.Server[]] = [[], [], []]
  for (let index = 0; index < CLIENTS; index += 1) {
    const name = `c${index}.example.org`
    const service = http.createServer((_request, response) => response.end(name)).listen(0, '127.0.0.1')
    await once(service, 'listening')
    services.push(service)
    names.push(name)
    const client = await createClient({
      extensions: [transportTcp, muxYamux, proxyHttp, authToken({ token: TOKEN })],
      client: {
        id: `client-${index}`,
        connect: { transport: 'tcp', host: '127.0.0.1', port },
        proxies: [{ name: 'web', kind: 'http', local: (service.address() as net.AddressInfo).port, host: name }]
      }
    })
    clients.push(client)
  }
  await Promise.all(clients.map((client) => client.start()))
  return {
    clients,
    names,
    close: () => {
      for (const service of services) service.close()
    }
  }
}

const run = async (folder: string, started: ChildProcess[]): Promise<void> => {
  const [clientPort, web, redis] = [await freePort(), await freePort(), await freePort()]
  await makeMembers(
    Array.from({ length: MEMBERS }, (_, index) => `a-${index + 1}`),
    { out: folder, force: false }
  )
  await writeFile(path.join(folder, 'rystra.config.yaml'), configuration(clientPort, web, redis))
  const words = ['--port', String(redis), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  started.push(spawn('redis-server', words, { stdio: 'ignore' }))
  const command = new URL('../../cli/bin/run.js', import.meta.url).pathname
  const serve = spawn(node, [command, 'serve', '--members', String(MEMBERS), '--reuse-port', '--json'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit']
  })
  started.push(serve)
  const api = new AdminApi({ kind: 'unix', path: adminSocketPath(path.join(folder, '.rystra'), 'server') })
  const listeners = async (): Promise<number> => (await api.list('/v1/listeners')).length
  await reached('all members to listen', async () => (await listeners()) === MEMBERS)
  const { clients, names, close } = await startClients(clientPort)
  const wrong: string[] = []
  await reached('every name to answer', async () => {
    for (const name of names) if ((await ask(web, name)) !== `200 ${name}`) return false
    return true
  })
  for (let visit = 0; visit < VISITS; visit += 1) {
    const name = names[visit % names.length] ?? ''
    const answer = await ask(web, name)
    if (answer !== `200 ${name}`) wrong.push(`${name}: ${answer.slice(0, 60)}`)
  }
  // What the parent shows is up to a second old.
  const listed = () => api.list<{ member?: string }>('/v1/sessions')
  await reached('all sessions to be shown', async () => (await listed()).length === CLIENTS)
  const sessions = await listed()
  const spread = new Map<string, number>()
  for (const { member = '' } of sessions) spread.set(member, (spread.get(member) ?? 0) + 1)
  const shown = [...spread].sort().map(([member, count]) => `${member}: ${count}`)
  console.log(`${sessions.length} clients on one port, by member: ${shown.join(', ')}`)
  console.log(`${VISITS} visitors on one port, a connection each: ${wrong.length} wrong answers`)
  for (const one of wrong.slice(0, 5)) console.log(`  ${one}`)
  if (wrong.length > 0 || spread.size < 2) process.exitCode = 1
  await Promise.all(clients.map((client) => client.stop({ drain: 0 })))
  close()
}

const main = async (): Promise<void> => {
  if (!reusesPorts() || spawnSync('redis-server', ['--version']).status !== 0) {
    console.log('skipped: needs Linux, Node from 22.12 or 23.1 on (RYSTRA_NODE), and redis-server (Debian)')
    return
  }
  const folder = await mkdtemp(path.join(tmpdir(), 'rystra-members-'))
  const started: ChildProcess[] = []
  try {
    await run(folder, started)
  } finally {
    for (const child of started.reverse()) {
      if (child.exitCode !== null) continue
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      await gone
    }
    await rm(folder, { recursive: true, force: true })
  }
}

await main()
process.exit()
