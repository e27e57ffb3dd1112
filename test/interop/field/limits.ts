import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import net from 'node:net'
import path from 'node:path'
import authToken from '@rystra/auth-token'
import { Kernel } from '@rystra/kernel'
import { encode } from '@rystra/protocol'
import { authenticateToServer } from '@rystra/session'
import { stringify } from 'yaml'
import { loopback } from '../../bench/address.js'
import { type Program, type Scratch, untilSays } from '../../bench/scratch.js'
import { cpuSeconds, residentBytes } from '../../bench/usage.js'
import { freePort } from '../visitors/free-port.js'
import { must, type Trial } from '../visitors/trial.js'
import { cli, Tunnel } from '../visitors/tunnel.js'

/** Web visitors of one address: connections, and requests on each whose answers are not read. */
const CONNECTIONS = 100
const REQUESTS = 100
/** Streams under a reader of `--json` that has stopped. */
const STREAMS = 12_000
const ROUNDS = 6
const REGISTRATIONS = 143_400
/** Open files of the server that is at its limit, and the visitors that come. */
const FILES = 256
const VISITORS = 400

const host = 'app.localhost'
const token = 'visitors-token-81b6f2c94d0e57'
const megabytes = (pid: number): number => Math.round(residentBytes([pid]) / 1e6)
const descriptors = ({ pid }: Program): number => readdirSync(`/proc/${pid}/fd`).length
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** How long one request of another visitor takes, from another address. */
const other = async (port: number): Promise<number> => {
  const since = performance.now()
  const request = http.get({
    port,
    host: loopback,
    localAddress: '127.0.0.9',
    headers: { host },
    agent: false,
    path: '/small'
  })
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  response.resume()
  await once(response, 'close')
  must(response.statusCode === 200, `another visitor got ${response.statusCode}`)
  return performance.now() - since
}

const unread = async (scratch: Scratch): Promise<string> => {
  const page = Buffer.alloc(4 * 1024 * 1024)
  const service = http.createServer(({ url }, response) => response.end(url === '/small' ? 'ok' : page))
  service.listen(0, loopback)
  await once(service, 'listening')
  const sessions: http2.ClientHttp2Session[] = []
  try {
    const web = await freePort()
    const tunnel = await Tunnel.serve(scratch, {
      name: 'unread',
      extensions: [{ use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: web }] } }]
    })
    const client = await tunnel.connect('app', {
      proxies: [{ name: 'app', kind: 'http', local: (service.address() as net.AddressInfo).port }]
    })
    await other(web)
    const answers = new Map<string, number>()
    const count = (what: string): void => void answers.set(what, (answers.get(what) ?? 0) + 1)
    for (let one = 0; one < CONNECTIONS; one += 1) {
      const session = http2.connect(`http://${loopback}:${web}`)
      session.on('error', () => {})
      sessions.push(session)
      for (let request = 0; request < REQUESTS; request += 1) {
        const stream = session.request({ ':authority': host, ':path': '/' })
        stream.once('error', (error) => count((error as NodeJS.ErrnoException).code ?? error.message))
        stream.once('response', (headers) => count(String(headers[':status'])))
        stream.pause()
      }
    }
    let slowest = 0
    let most = 0
    const cpu = cpuSeconds([tunnel.server.pid])
    const since = performance.now()
    for (let round = 0; round < 20; round += 1) {
      slowest = Math.max(slowest, await other(web))
      most = Math.max(most, descriptors(client))
      await pause(100)
    }
    const found = [...answers].map(([what, times]) => `${what} ${times} times`).join(', ')
    const requests = CONNECTIONS * REQUESTS
    must(most < requests, `${most} descriptors at the client`)
    return `${requests} requests of one address: ${found}; at most ${most} descriptors at the client, ${descriptors(tunnel.server)} at the server (${megabytes(tunnel.server.pid)} MB); another visitor waits at most ${slowest.toFixed(0)} ms, in ${((performance.now() - since) / 1000).toFixed(0)} s in which the server had ${(cpuSeconds([tunnel.server.pid]) - cpu).toFixed(1)} s of CPU`
  } finally {
    for (const session of sessions) session.destroy()
    service.closeAllConnections()
    service.close()
  }
}

const stopped = async (scratch: Scratch): Promise<string> => {
  const service = net.createServer((socket) => socket.on('error', () => {}).end('ok'))
  service.listen(0, loopback)
  await once(service, 'listening')
  const published = await freePort()
  const tunnel = await Tunnel.serve(scratch, { name: 'stopped', extensions: [] })
  const file = scratch.write(
    'stopped-client.yaml',
    stringify({
      extensions: [{ use: '@rystra/auth-token', options: { token } }],
      client: {
        id: 'stopped',
        connect: { transport: 'tcp', host: loopback, port: tunnel.port },
        proxies: [{ name: 'svc', kind: 'tcp', local: (service.address() as net.AddressInfo).port, port: published }]
      }
    })
  )
  // Nothing reads its output: the pipe is full after 64 KiB.
  const child = spawn(process.execPath, [cli, 'connect', '--config', file, '--json'], {
    cwd: scratch.dir,
    env: { ...process.env, RYSTRA_STATE: path.join(scratch.dir, 'state-stopped') },
    stdio: ['ignore', 'pipe', 'ignore']
  })
  const program = scratch.adopt(child, 'rystra connect')
  child.stdout?.removeAllListeners('data')
  child.stdout?.pause()
  try {
    const visit = async (): Promise<boolean> => {
      const socket = net.connect(published, loopback)
      socket.on('error', () => {})
      let read = 0
      socket.on('data', (data: Buffer) => {
        read += data.length
      })
      await new Promise((resolve) => {
        socket.once('close', resolve)
      })
      return read === 2
    }
    for (const end = performance.now() + 20_000; !(await visit()); await pause(100))
      must(performance.now() < end, 'the tunnel does not come up')
    let [done, next] = [0, 0]
    const upTo = async (count: number): Promise<number> => {
      const lane = async (): Promise<void> => {
        while (next < count) {
          next += 1
          if (await visit()) done += 1
        }
      }
      await Promise.all(Array.from({ length: 32 }, lane))
      return megabytes(program.pid)
    }
    // The first streams warm the process up, with a reader as without one.
    const before = await upTo(STREAMS)
    // The least of several: a collection of garbage ends at a size that differs by 40 MB, and a leak lifts all of them.
    let after = Number.POSITIVE_INFINITY
    for (let round = 3; round <= ROUNDS; round += 1) after = Math.min(after, await upTo(round * STREAMS))
    const since = performance.now()
    const exit = once(child, 'exit') as Promise<[number | null, string | null]>
    child.kill('SIGTERM')
    const [code, signal] = await Promise.race([exit, pause(20_000).then(() => [null, 'no end'] as const)])
    must(done === ROUNDS * STREAMS, `${done} of ${ROUNDS * STREAMS} streams were served`)
    must(signal === null, `SIGTERM: ${signal}`)
    must(after - before < 30, `${before} MB became ${after} MB`)
    return `${before} MB after ${STREAMS} streams, least ${after} MB up to ${done}; SIGTERM ended it with ${code} after ${(performance.now() - since).toFixed(0)} ms`
  } finally {
    service.close()
  }
}

const registrations = async (scratch: Scratch): Promise<string> => {
  const tunnel = await Tunnel.serve(scratch, { name: 'registrations', extensions: [] })
  const service = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  service.listen(0, loopback)
  await once(service, 'listening')
  const published = await freePort()
  await tunnel.connect('svc', {
    proxies: [{ name: 'svc', kind: 'tcp', local: (service.address() as net.AddressInfo).port, port: published }]
  })
  const socket = net.connect(tunnel.port, loopback)
  try {
    const kernel = new Kernel({ side: 'client' })
    await kernel.provision([authToken({ token })])
    socket.on('error', () => {})
    await once(socket, 'connect')
    await authenticateToServer(socket, {
      offer: { id: 'unread', instance: 'u', agent: 'unread', muxers: ['direct'] },
      authenticators: kernel.current.registries.authenticators,
      peer: { address: loopback, port: 0 },
      signal: new AbortController().signal
    })
    socket.pause()
    const before = megabytes(tunnel.server.pid)
    let most = before
    let sent = 0
    let closed = false
    const over = new Promise<'over'>((resolve) => {
      socket.once('close', () => {
        closed = true
        resolve('over')
      })
    })
    while (sent < REGISTRATIONS && !closed) {
      const some = Array.from({ length: 200 }, (_, index) =>
        encode({
          type: 'RegisterProxy',
          request: sent + index,
          spec: { name: `n${sent + index}`, kind: 'tcp', port: 0 }
        })
      )
      sent += some.length
      if (socket.write(Buffer.concat(some))) continue
      const drained = new Promise((resolve) => {
        socket.once('drain', resolve)
      })
      const held = await Promise.race([drained, over, pause(10_000).then(() => 'held')])
      most = Math.max(most, megabytes(tunnel.server.pid))
      // It does not read on, or has cut the session, which a socket that is not read learns only when it is.
      if (held === 'held') break
    }
    const unread = sent
    socket.resume()
    await Promise.race([over, pause(20_000)])
    const visitor = net.connect(published, loopback)
    visitor.on('error', () => {})
    visitor.write('still here')
    const [echo] = (await Promise.race([once(visitor, 'data'), pause(10_000).then(() => [''])])) as [Buffer | string]
    visitor.destroy()
    must(String(echo) === 'still here', 'another client is not served')
    must(closed, 'the session was not cut')
    return `cut after ${unread} of ${REGISTRATIONS} were written; the server had ${before} MB before and at most ${most} MB; another client is served`
  } finally {
    socket.destroy()
    service.close()
  }
}

const fullServer = async (scratch: Scratch): Promise<string> => {
  const port = await freePort()
  const published = await freePort()
  const service = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  service.listen(0, loopback)
  await once(service, 'listening')
  const visitors: net.Socket[] = []
  const env = { ...process.env, RYSTRA_TOKEN: token, RYSTRA_STATE: path.join(scratch.dir, 'state-full') }
  try {
    const file = scratch.write(
      'full-server.yaml',
      stringify({
        extensions: [{ use: '@rystra/auth-token', options: { tokens: [{ identity: 'test', token }] } }],
        server: {
          listen: [{ transport: 'tcp', host: loopback, port }],
          publish: { host: loopback, ports: ['1024-65535'] }
        }
      })
    )
    const command = `ulimit -n ${FILES}; exec "$0" "$1" serve --config "$2"`
    const server = scratch.start('sh', ['-c', command, process.execPath, cli, file], { cwd: scratch.dir, env })
    await untilSays(server, /listening/)
    const to = ['--to', `tcp://${loopback}:${port}`, '--json', '--port', String(published)]
    const { port: local } = service.address() as net.AddressInfo
    const client = scratch.start(process.execPath, [cli, 'expose', 'tcp', String(local), ...to], {
      cwd: scratch.dir,
      env
    })
    await untilSays(client, /"event":"published"/)
    let [served, cut] = [0, 0]
    const visit = (): void => {
      const socket = net.connect(published, loopback)
      visitors.push(socket)
      socket.on('error', () => {})
      socket.once('data', () => (served += 1))
      socket.once('close', () => (cut += 1))
      socket.write('x')
    }
    for (let one = 0; one < VISITORS; one += 1) visit()
    for (const end = performance.now() + 15_000; served + cut < VISITORS && performance.now() < end; ) await pause(100)
    const [, line = ''] = /^(.*(?:descriptor|EMFILE).*)$/m.exec(server.said()) ?? []
    const before = `${served} of ${VISITORS} visitors are served, ${cut} closed`
    for (const socket of visitors.splice(0)) socket.destroy()
    await pause(500)
    const again = net.connect(published, loopback)
    again.on('error', () => {})
    again.write('again')
    visitors.push(again)
    const [echo] = (await Promise.race([once(again, 'data'), pause(10_000).then(() => [''])])) as [Buffer | string]
    must(String(echo) === 'again', `${before}; then no visitor is served`)
    must(line !== '' && cut > 0 && served > 50, `${before}; the log says nothing: ${server.said().slice(-600)}`)
    return `${before}; the log: ${line.trim().slice(0, 160)}; the next one is served`
  } finally {
    for (const socket of visitors) socket.destroy()
    service.close()
  }
}

export const limits: Trial = {
  name: 'limits',
  programs: [],
  async use(scratch, report) {
    await report.check(`${CONNECTIONS} × ${REQUESTS} unread streams of one address over h2`, () => unread(scratch))
    await report.check(`a reader of --json that stops, ${STREAMS} streams`, () => stopped(scratch))
    await report.check(`${REGISTRATIONS} registrations whose answers are not read`, () => registrations(scratch))
    await report.check(`a server with ${FILES} open files, ${VISITORS} visitors`, () => fullServer(scratch))
  }
}
