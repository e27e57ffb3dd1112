/**
 * The haproxy configuration of docs/guide/cluster.md in front of three servers, run by a real haproxy (Debian: haproxy): clients and visitors must have
 * their own addresses at each server, and one that is stopped must cost no visitor.
 *
 *     npm run interop:haproxy
 */
import authToken from '@rystra/auth-token'
import { issueServer, makeAuthority } from '@rystra/certificates'
import { type Client, createClient } from '@rystra/client'
import { clusterMemory, MemoryDirectory } from '@rystra/cluster-memory'
import muxYamux from '@rystra/mux-yamux'
import { defineExtension, type Extension } from '@rystra/plugin'
import proxyHttp from '@rystra/proxy-http'
import proxyHttps from '@rystra/proxy-https'
import { createServer, type Server } from '@rystra/server'
import { freePort, until } from '@rystra/testkit'
import transportTls from '@rystra/transport-tls'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import type net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { makeMembers } from '../../cli/src/certs/members.js'

const MEMBERS = ['a', 'b', 'c'] as const
/** Address of haproxy towards the servers, and those of visitors towards haproxy. */
const BALANCER = '127.0.0.9'
const VISITORS = ['127.0.0.31', '127.0.0.32', '127.0.0.33', '127.0.0.34', '127.0.0.35', '127.0.0.36']
const HOST = 'app.example.org'
const token = 'a-token-of-the-interop-scripts'

let faults = 0
const check = (what: string, holds: boolean, seen: unknown): void => {
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}${holds ? '' : `: ${JSON.stringify(seen)}`}`)
  if (!holds) faults += 1
}

/** The blocks of the guide. */
const guideConfig = async (): Promise<string> => {
  const guide = await readFile(new URL('../../docs/guide/cluster.md', import.meta.url), 'utf8')
  const block = guide.split('```text\n').find((one) => one.includes('send-proxy-v2'))
  if (block === undefined) throw new Error('the guide has no configuration of haproxy')
  return block.slice(0, block.indexOf('```'))
}

/** One answer by way of haproxy, asked from an address of its own. */
const ask = async (port: number, from: string, ca: string): Promise<string> => {
  const options = { headers: { host: HOST }, agent: false, servername: HOST, ca, localAddress: from }
  const request = https.get({ host: '127.0.0.1', port, ...options })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  let text = `${response.statusCode} `
  for await (const chunk of response) text += String(chunk)
  return text
}

const run = async (folder: string): Promise<void> => {
  await makeMembers([...MEMBERS], { out: folder, force: false })
  const authority = await makeAuthority({ commonName: 'interop', keyType: 'ec' })
  const pair = await issueServer(authority, { commonName: HOST, names: [HOST], keyType: 'ec' })
  const file = (name: string): string => path.join(folder, name)
  await writeFile(file('cert.pem'), pair.cert)
  await writeFile(file('key.pem'), pair.key)
  await writeFile(file('authority.pem'), authority.cert)
  const [web, clients, publicWeb, publicClients] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort()
  ] as const
  const directory = new MemoryDirectory()
  const seen: string[] = []
  const observer = defineExtension({
    name: 'observer',
    setup: ({ hooks }) => void hooks.onOpenStream.tap(({ visitor }) => void seen.push(visitor.host))
  }) as Extension
  const servers = new Map<string, Server>()
  for (const [index, name] of MEMBERS.entries()) {
    const host = `127.0.0.${index + 1}`
    const proxyProtocolFrom = [BALANCER]
    const server = await createServer(
      {
        extensions: [
          transportTls,
          muxYamux,
          clusterMemory(directory),
          authToken({ tokens: [{ identity: 'home', token }] }),
          proxyHttp({ listen: [] }),
          proxyHttps({
            listen: [{ host, port: web, proxyProtocolFrom }],
            certificates: [{ hosts: [HOST], cert: file('cert.pem'), key: file('key.pem') }]
          }),
          observer
        ],
        server: {
          listen: [
            { transport: 'tls', host, port: clients, proxyProtocolFrom, cert: file('cert.pem'), key: file('key.pem') }
          ],
          publish: { host },
          cluster: {
            name,
            directory: 'memory',
            host,
            port: 0,
            ca: file('ca.pem'),
            cert: file(`${name}.pem`),
            key: file(`${name}-key.pem`)
          }
        }
      },
      { stateDir: file(`state-${name}`) }
    )
    await server.start()
    servers.set(name, server)
  }
  const config = (await guideConfig())
    .replace('bind :443', `bind 127.0.0.1:${publicWeb}`)
    .replace('bind :7000', `bind 127.0.0.1:${publicClients}`)
    .replace(/10\.0\.0\.(\d):443 check/g, `127.0.0.$1:${web} check inter 200ms source ${BALANCER}`)
    .replace(/10\.0\.0\.(\d):7000 check/g, `127.0.0.$1:${clients} check inter 200ms source ${BALANCER}`)
  await writeFile(file('haproxy.cfg'), config)
  const checked = spawnSync('haproxy', ['-c', '-f', file('haproxy.cfg')], { encoding: 'utf8' })
  check('haproxy takes the configuration of the guide', checked.status === 0, checked.stdout + checked.stderr)
  const haproxy = spawn('haproxy', ['-db', '-f', file('haproxy.cfg')], { stdio: 'ignore' })
  const service = http.createServer(({ headers }, response) => response.end(headers['x-forwarded-for']))
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  const local = (service.address() as net.AddressInfo).port
  let client: Client | undefined
  try {
    client = await createClient(
      {
        extensions: [transportTls, muxYamux, proxyHttp, authToken({ token })],
        client: {
          id: 'office',
          connect: {
            transport: 'tls',
            host: '127.0.0.1',
            port: publicClients,
            serverName: HOST,
            ca: file('authority.pem')
          } as never,
          proxies: [{ name: 'web', kind: 'http', local, host: HOST }]
        }
      },
      { stateDir: file('state-client') }
    )
    await client.start()
    const peers = (): string[] =>
      [...servers.values()].flatMap(({ sessions }) => sessions.map(({ peer }) => peer.address))
    check('the client has its own address at its server', peers().join() === '127.0.0.1', peers())
    const known = (): boolean =>
      [...servers.values()].every(
        ({ proxies, runtime }) => proxies.length + [...(runtime.cluster?.proxies() ?? [])].length === 1
      )
    await until(known, 'each server to know the proxy', 10_000)
    const answers = await Promise.all(VISITORS.map((from) => ask(publicWeb, from, authority.cert)))
    check(
      'each visitor has its own address at the service',
      answers.join() === VISITORS.map((one) => `200 ${one}`).join(),
      answers
    )
    check('each visitor has its own address in hooks', [...seen].sort().join() === VISITORS.join(), seen)
    const other = MEMBERS.find((name) => servers.get(name)?.sessions.length === 0) as string
    await servers.get(other)?.stop({ drain: 0 })
    const after = await Promise.all(VISITORS.map((from) => ask(publicWeb, from, authority.cert)))
    check(
      `no visitor misses the server ${other}`,
      after.every((one) => one.startsWith('200 ')),
      after
    )
  } finally {
    await client?.stop({ drain: 0 })
    haproxy.kill('SIGKILL')
    for (const server of servers.values()) await server.stop({ drain: 0 })
    service.close()
  }
}

if (spawnSync('haproxy', ['-v']).status !== 0) {
  console.log('skipped: there is no haproxy on this machine (Debian: apt-get install haproxy)')
} else {
  const folder = await mkdtemp(path.join(tmpdir(), 'rystra-interop-haproxy-'))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
  process.exitCode = faults === 0 ? 0 : 1
}
