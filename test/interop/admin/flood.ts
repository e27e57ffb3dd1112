import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import path from 'node:path'
import { loopback } from '../../bench/address.js'
import type { Scratch } from '../../bench/scratch.js'
import { freePort } from '../visitors/free-port.js'
import { cli } from '../visitors/tunnel.js'
import { untilListens } from '../visitors/until-listens.js'
import { check, must } from './page.js'

/** Readers of events, and dashboards, that come at once. */
const COUNT = 10_000
/** Descriptors that each side needs beside those. */
const SPARE = 500
/** More than 10,000 connections of Node cost, and less than as many queues of events could. */
const MAX_GROWTH_MIB = 400

const token = 'flood-token-0123456789-0123456789'

const descriptors = (): number => {
  const text = execFileSync('sh', ['-c', 'ulimit -Hn']).toString().trim()
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text)
}

const residentMiB = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

/** What an answer was: its status, and its code where it is a problem. */
const outcomeOf = (port: number, target: string, open: Set<http.ClientRequest>): Promise<string> =>
  new Promise((resolve) => {
    const headers = { authorization: `Bearer ${token}` }
    const request = http.get({ host: loopback, port, path: target, headers, agent: false }, (response) => {
      const { statusCode } = response
      if (statusCode === 200 && response.headers['content-type']?.startsWith('text/event-stream') === true) {
        // This connection never reads, so the server must bound what it queues.
        response.pause()
        resolve('200 events')
        return
      }
      let text = ''
      response.on('data', (chunk) => {
        if (text.length < 4096) text += String(chunk)
      })
      response.on('end', () => resolve(`${statusCode} ${/"code":"([a-z.-]+)"/.exec(text)?.[1] ?? 'page'}`))
    })
    open.add(request)
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })

/** So many requests, a few hundred in each turn; connections of events stay open. */
const flood = async (port: number, target: string): Promise<{ seen: Map<string, number>; close: () => void }> => {
  const seen = new Map<string, number>()
  const open = new Set<http.ClientRequest>()
  for (let left = COUNT; left > 0; left -= 500) {
    const outcomes = await Promise.all(Array.from({ length: Math.min(500, left) }, () => outcomeOf(port, target, open)))
    for (const outcome of outcomes) seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
  }
  return {
    seen,
    close: () => {
      for (const request of open) request.destroy()
    }
  }
}

const visit = async (port: number): Promise<void> => {
  const socket = net.connect(port, loopback)
  socket.write('x')
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  must(String(bytes) === 'x', 'a visitor was answered with other bytes')
}

/** 10,000 readers of events, which do not read, and 10,000 dashboards, beside visitors of a tunnel. */
export const checkFlood = async (scratch: Scratch): Promise<void> => {
  if (descriptors() < COUNT + SPARE) {
    console.log(`– skipped: 10,000 readers need ${COUNT + SPARE} open files (ulimit -Hn)`)
    return
  }
  const [listen, admin, plain] = [await freePort(), await freePort(), await freePort()]
  const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, loopback)
  await once(echo, 'listening')
  const auth = { use: '@rystra/auth-token', options: { token } }
  const tokens = [{ name: 'flood', scope: 'read', token }]
  const server = scratch.write(
    'flood-server.json',
    JSON.stringify({
      extensions: [
        auth,
        {
          use: '@rystra/admin-http',
          options: { listen: [{ host: loopback, port: admin }], tokens, connections: 12_000 }
        }
      ],
      server: {
        listen: [{ transport: 'tcp', host: loopback, port: listen }],
        publish: { host: loopback, ports: ['1024-65535'] }
      }
    })
  )
  const client = scratch.write(
    'flood-client.json',
    JSON.stringify({
      extensions: [auth],
      client: {
        connect: { transport: 'tcp', host: loopback, port: listen },
        proxies: [{ name: 'plain', kind: 'tcp', local: (echo.address() as net.AddressInfo).port, port: plain }]
      }
    })
  )
  const { child } = scratch.start(process.execPath, [cli, 'serve', '--config', server], { cwd: path.dirname(server) })
  await untilListens(listen)
  scratch.start(process.execPath, [cli, 'connect', '--config', client], { cwd: path.dirname(client) })
  await untilListens(plain)
  await visit(plain)
  const before = residentMiB(child.pid as number)
  let visits = 0
  let over = false
  const visiting = (async () => {
    while (!over) {
      await visit(plain)
      visits += 1
    }
  })()
  for (const [what, target] of [
    ['readers of events that do not read', '/v1/events'],
    ['dashboards', '/']
  ] as const) {
    await check(`${COUNT} ${what}`, async () => {
      const { seen, close } = await flood(admin, target)
      const growth = Math.round(residentMiB(child.pid as number) - before)
      close()
      const text = [...seen].map(([outcome, count]) => `${count} × ${outcome}`).join(', ')
      must(
        [...seen.keys()].every((outcome) => /^(200|429 admin\.|503 admin\.)/.test(outcome)),
        `without a code: ${text}`
      )
      must(growth < MAX_GROWTH_MIB, `memory grew by ${growth} MiB`)
      return `${text}; ${growth} MiB more`
    })
  }
  over = true
  await visiting
  echo.close()
  await check('visitors meanwhile', async () => {
    must(visits > 10 && child.exitCode === null, `${visits} visits, exit code ${child.exitCode}`)
    return `${visits} were served`
  })
}
