/**
 * An hour of mixed load: requests, WebSockets, short and long connections, datagrams, idle streams, clients that come and go, and
 * connections that are refused, with a dashboard open and a Prometheus that scrapes both ends. Compares memory, descriptors and delay of
 * the event loop of the first and the last ten minutes. Not part of `npm test`: it needs Debian's `prometheus`, and says aloud
 * when that is not there.
 *
 *     npm run interop:soak                      # an hour; needs a build
 *     npm run interop:soak -- --minutes 5       # windows of a sixth of that
 */
import { until } from '@rystra/testkit'
import http from 'node:http'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePort, loopback } from '../bench/address.js'
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'
import { Load, startServices } from './soak/load.js'
import { compare } from './soak/observed.js'

const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const tunnelToken = 'soak-token-3f9c1d7e5b2a48'
const adminToken = 'soak-admin-token-0123456789'
/** Until caches and pools have filled: not in the first window. */
const WARM_UP_MS = 30_000

const get = (port: number, at: string, method = 'GET'): Promise<string> =>
  new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${adminToken}` }
    const request = http.request({ host: loopback, port, path: at, method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      response.on('error', reject).on('end', () => resolve(text))
    })
    request.on('error', reject).end()
  })

/** The dashboard: its stream of events, and its lists. Ends the session of one client each half minute. */
class Dashboard {
  events = 0
  lists = 0
  kicks = 0
  #request: http.ClientRequest | undefined

  constructor(
    readonly port: number,
    readonly signal: AbortSignal
  ) {}

  async run(failed: (text: string) => void): Promise<void> {
    const headers = { authorization: `Bearer ${adminToken}` }
    this.#request = http.get(
      { host: loopback, port: this.port, path: '/v1/events?samples=true', headers },
      (response) => {
        response.setEncoding('utf8').on('data', (text: string) => {
          this.events += text.split('\n\n').length - 1
        })
        response.on('close', () => {
          if (!this.signal.aborted) failed('the stream of events ended')
        })
      }
    )
    this.#request.on('error', () => {})
    for (let turn = 1; !this.signal.aborted; turn += 1) {
      for (const list of ['status', 'streams', 'proxies', 'sessions', 'extensions/inspect/exchanges']) {
        await get(this.port, `/v1/${list}`)
        this.lists += 1
      }
      if (turn % 10 === 0) {
        const { items } = JSON.parse(await get(this.port, '/v1/sessions?client=flapping')) as {
          items: { id: string }[]
        }
        for (const { id } of items) {
          await get(this.port, `/v1/sessions/${id}`, 'DELETE')
          this.kicks += 1
        }
      }
      await pause(3000)
    }
    this.#request.destroy()
  }
}

const main = async (minutes: number): Promise<void> => {
  const scratch = new Scratch()
  const services = await startServices()
  const stop = new AbortController()
  try {
    const ports = await Promise.all(Array.from({ length: 8 }, () => freePort()))
    const [control, tcp, udp, front, admin, serverMetrics, clientMetrics, web] = ports as [
      ...[number, number, number, number, number, number, number, number]
    ]
    const auth = { use: '@rystra/auth-token', options: { token: tunnelToken } }
    const metrics = (port: number) => ({ use: '@rystra/observe-prometheus', options: { listen: { port } } })
    const kinds = ['@rystra/proxy-tcp', '@rystra/proxy-udp']
    const connect = { transport: 'tcp', host: loopback, port: control }
    const configs = {
      server: {
        extensions: [
          auth,
          ...kinds,
          { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: front }] } },
          {
            use: '@rystra/admin-http',
            options: { listen: [{ port: admin }], tokens: [{ name: 'soak', token: adminToken, scope: 'admin' }] }
          },
          '@rystra/inspect-http',
          metrics(serverMetrics)
        ],
        server: { listen: [connect], publish: { host: loopback, ports: ['1024-65535'] } }
      },
      client: {
        extensions: [auth, ...kinds, '@rystra/proxy-http', metrics(clientMetrics)],
        client: {
          id: 'soak',
          connect,
          proxies: [
            { name: 'web', kind: 'http', local: services.web, host: 'app.localhost' },
            { name: 'echo', kind: 'tcp', local: services.echo, port: tcp },
            { name: 'datagrams', kind: 'udp', local: services.datagrams, port: udp }
          ]
        }
      },
      flapping: {
        extensions: [auth, ...kinds],
        client: { id: 'flapping', connect, proxies: [{ name: 'other', kind: 'tcp', local: services.echo }] }
      }
    }
    for (const [name, config] of Object.entries(configs)) scratch.write(`${name}.json`, JSON.stringify(config))
    scratch.write(
      'prometheus.yml',
      `global: { scrape_interval: 5s }\nscrape_configs:\n  - job_name: rystra\n    static_configs: [{ targets: ['${loopback}:${serverMetrics}', '${loopback}:${clientMetrics}'] }]\n`
    )
    const start = (command: string, name: string) =>
      scratch.start(process.execPath, [cli, command, '--config', `${name}.json`, '--no-admin'], {
        cwd: scratch.dir,
        env: { ...process.env, RYSTRA_STATE: path.join(scratch.dir, name) }
      })
    const programs = [start('serve', 'server'), start('connect', 'client'), start('connect', 'flapping')]
    scratch.start(
      'prometheus',
      ['--config.file=prometheus.yml', '--storage.tsdb.path=tsdb', `--web.listen-address=${loopback}:${web}`],
      { cwd: scratch.dir }
    )
    const isReady = async (): Promise<boolean> => {
      const { items } = JSON.parse(await get(admin, '/v1/proxies')) as { items: { state: string }[] }
      return items.length === 4 && items.every(({ state }) => state === 'published')
    }
    await until(() => isReady().catch(() => false), 'the tunnel')
    const load = new Load({ http: front, tcp, udp, control }, stop.signal)
    const dashboard = new Dashboard(admin, stop.signal)
    const failed = (text: string): void => void load.failures.push(text)
    const work = Promise.all([load.run(), dashboard.run(failed)])
    work.catch((error: Error) => failed(error.message))
    const total = minutes * 60_000
    const window = Math.round(Math.min(600_000, total / 6) / 1000)
    const begin = Date.now()
    console.log(`· ${minutes} minutes of load; windows of ${window} s`)
    while (Date.now() < begin + WARM_UP_MS + total) {
      await pause(Math.min(60_000, begin + WARM_UP_MS + total - Date.now()))
      console.log(
        `· ${Math.round((Date.now() - begin) / 60_000)} min: ${JSON.stringify(load.counts)}, ${load.failures.length} failures`
      )
    }
    const last = Date.now()
    const first = begin + WARM_UP_MS + window * 1000
    const compared = await compare(web, { server: serverMetrics, client: clientMetrics }, window, { first, last })
    stop.abort()
    await work
    console.log(
      `  ${JSON.stringify({ ...load.counts, events: dashboard.events, lists: dashboard.lists, kicks: dashboard.kicks })}`
    )
    for (const { end, title, first: before, last: after, grown } of compared) {
      console.log(
        `${grown ? '✗' : '✓'} ${end.padEnd(7)}${title.padEnd(36)}${before.padStart(8)} → ${after.padStart(8)}`
      )
    }
    for (const text of new Set(load.failures)) console.log(`✗ ${text}`)
    for (const { child, said } of programs) if (child.exitCode !== null) failed(`a process ended: ${said()}`)
    process.exitCode = load.failures.length === 0 && !compared.some(({ grown }) => grown) ? 0 : 1
  } finally {
    stop.abort()
    services.close()
    await scratch.close()
  }
}

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '60' } } })
const minutes = Number(values.minutes)
if (!(minutes > 0)) throw new Error(`--minutes takes a number above 0, not ${values.minutes}`)
if (which('prometheus') === undefined) console.log('SKIPPED: no prometheus here (apt-get install prometheus)')
else await main(minutes)
