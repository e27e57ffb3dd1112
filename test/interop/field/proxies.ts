import http from 'node:http'
import net from 'node:net'
import { once } from 'node:events'
import { loopback } from '../../bench/address.js'
import { needed } from '../../bench/peer.js'
import type { Scratch } from '../../bench/scratch.js'
import { freePort } from '../visitors/free-port.js'
import { startNginx } from '../visitors/nginx.js'
import { must, type Report, type Trial } from '../visitors/trial.js'
import { Tunnel } from '../visitors/tunnel.js'
import { untilListens } from '../visitors/until-listens.js'

/** Above the intervals of pings of every muxer and transport, and below what administrators usually leave. */
const CUT_MS = 20_000
const host = 'app.localhost'

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const startHaproxy = async (
  scratch: Scratch,
  name: string,
  mode: string,
  to: number,
  seconds: number,
  proto = ''
): Promise<number> => {
  const port = await freePort()
  const file = scratch.write(
    `${name}.cfg`,
    `defaults
  mode ${mode}
  timeout connect 5s
  timeout client ${seconds}s
  timeout server ${seconds}s
  timeout tunnel ${seconds}s
  timeout http-request ${seconds}s
frontend front
  bind ${loopback}:${port} ${proto}
  default_backend behind
backend behind
  server one ${loopback}:${to} ${proto}
`
  )
  scratch.start(needed('haproxy'), ['-db', '-f', file])
  await untilListens(port)
  return port
}

/** Opens a stream, is silent for longer than the proxy allows, and then sends a byte through it. */
const silentStream = async (port: number): Promise<string> => {
  const socket = net.connect(port, loopback)
  socket.on('error', () => {})
  await once(socket, 'connect')
  socket.write('a')
  await once(socket, 'data')
  const closed = once(socket, 'close').then(() => 'closed')
  must((await Promise.race([delay(CUT_MS + 5000), closed])) !== 'closed', 'the silent stream was cut')
  socket.write('b')
  const [byte] = (await Promise.race([once(socket, 'data'), closed.then(() => ['closed'])])) as [Buffer | string]
  socket.destroy()
  must(String(byte) === 'b', 'the stream was cut at its next byte')
  return `a stream silent for ${(CUT_MS + 5000) / 1000} s behind a time-out of ${CUT_MS / 1000} s goes on`
}

const inFront = async (scratch: Scratch, report: Report, echo: number): Promise<void> => {
  const ways = [
    { front: 'nginx', transport: 'ws', muxer: 'yamux' },
    { front: 'nginx', transport: 'ws', muxer: 'direct' },
    { front: 'haproxy', transport: 'ws', muxer: 'direct' },
    { front: 'haproxy-tcp', transport: 'tcp', muxer: 'yamux' },
    { front: 'haproxy-tcp', transport: 'h2c', muxer: undefined },
    { front: 'haproxy-h2', transport: 'h2c', muxer: undefined },
    { front: 'nginx-h2', transport: 'h2c', muxer: undefined }
  ]
  await Promise.all(
    ways.map(async ({ front, transport, muxer }) => {
      const name = `${front}-${transport}-${muxer ?? 'native'}`
      await report.check(`${front} in front of ${transport}, ${muxer ?? 'native'}`, async () => {
        const extensions =
          transport === 'ws' ? ['@rystra/transport-ws'] : transport === 'h2c' ? ['@rystra/transport-http2'] : []
        const tunnel = await Tunnel.serve(scratch, { name, extensions, listen: { transport } })
        const seconds = CUT_MS / 1000
        const port =
          front === 'nginx-h2'
            ? await startNginx(
                scratch,
                name,
                `location / { grpc_pass grpc://${loopback}:${tunnel.port}; grpc_read_timeout ${seconds}s; grpc_send_timeout ${seconds}s;
                 client_body_timeout ${seconds}s; send_timeout ${seconds}s; client_max_body_size 0; }`,
                `http2_max_concurrent_streams 1024; http2_recv_timeout ${seconds}s; http2_idle_timeout ${seconds}s;`,
                ' http2'
              )
            : front === 'nginx'
              ? await startNginx(
                  scratch,
                  name,
                  `location / { proxy_pass http://${loopback}:${tunnel.port}; proxy_http_version 1.1; proxy_read_timeout ${CUT_MS / 1000}s; proxy_send_timeout ${CUT_MS / 1000}s;
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_set_header Host $host; }`
                )
              : front === 'haproxy-h2'
                ? await startHaproxy(scratch, name, 'http', tunnel.port, seconds, 'proto h2')
                : await startHaproxy(scratch, name, front === 'haproxy' ? 'http' : 'tcp', tunnel.port, seconds)
        const connect = { transport, port, ...(muxer === undefined ? {} : { muxer }) }
        const client = await tunnel
          .through(connect)
          .connect('svc', { proxies: [{ name: 'svc', kind: 'tcp', local: echo }] })
        const [, published = ''] = /"event":"published".*?"address":"[^"]*:(\d+)"/.exec(client.said()) ?? []
        return silentStream(Number(published))
      })
    })
  )
}

/** Sends POST after POST, with pauses around the moment when a service closes its idle connection. */
const posts = async (port: number, pauses: readonly number[]): Promise<string> => {
  const found = new Map<string, number>()
  const lane = async (pause: number): Promise<void> => {
    for (let count = 0; count < 12; count += 1) {
      const request = http.request({ port, host: loopback, method: 'POST', headers: { host }, agent: false })
      request.end('a body')
      const status = await once(request, 'response').then(
        ([response]: http.IncomingMessage[]) => {
          response?.resume()
          return String(response?.statusCode)
        },
        (error: NodeJS.ErrnoException) => error.code ?? error.message
      )
      found.set(status, (found.get(status) ?? 0) + 1)
      await delay(pause)
    }
  }
  await Promise.all(pauses.map(lane))
  const summary = [...found].map(([status, count]) => `${status} ${count} times`).join(', ')
  must([...found.keys()].join() === '200', summary)
  return `POST after POST around the end of idle connections: ${summary}`
}

export const proxies: Trial = {
  name: 'proxies',
  programs: ['nginx', 'haproxy'],
  async use(scratch, report) {
    const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
    echo.listen(0, loopback)
    await once(echo, 'listening')
    try {
      await inFront(scratch, report, (echo.address() as net.AddressInfo).port)
    } finally {
      echo.close()
    }
    const page = `location / { return 200 "ok"; }`
    const short = await startNginx(scratch, 'short', page, 'keepalive_timeout 1s;')
    const shortProxy = await startHaproxy(scratch, 'short-proxy', 'http', await startNginx(scratch, 'long', page), 1)
    const web = await freePort()
    const tunnel = await Tunnel.serve(scratch, {
      name: 'behind',
      extensions: [{ use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: web }] } }]
    })
    report.watch(tunnel.server)
    for (const [name, local] of [
      ['nginx', short],
      ['haproxy', shortProxy]
    ] as const) {
      const client = await tunnel.connect(name, { proxies: [{ name: 'app', kind: 'http', local }] })
      const around = [940, 970, 985, 995, 1000, 1005, 1015, 1030]
      await report.check(`${name} behind, which closes idle connections after 1 s`, () => posts(web, around))
      await scratch.end(client.child)
    }
    await tunnel.connect('front', { proxies: [{ name: 'app', kind: 'http', local: short }] })
    await report.check('nginx and haproxy in front of web visitors, idle connections of 1 s', async () => {
      const to = `location / { proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }`
      const upstream = `upstream behind { server ${loopback}:${web}; keepalive 8; } keepalive_timeout 1s;`
      const ports = [
        await startNginx(scratch, 'front', to, upstream),
        await startHaproxy(scratch, 'front', 'http', web, 1)
      ]
      const summaries: string[] = []
      for (const port of ports) summaries.push(await posts(port, [900, 990, 1000, 1010]))
      return summaries.join('; ')
    })
  }
}
