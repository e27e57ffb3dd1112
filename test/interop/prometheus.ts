/**
 * Debian's Prometheus scrapes a server and a client. Not part of `npm test`; says aloud when there is no `prometheus`.
 *
 *     npm run interop:prometheus          # needs a build
 */
import net from 'node:net'
import path from 'node:path'
import { freePort, loopback } from '../bench/address.js'
import { which } from '../bench/peer.js'
import { Scratch } from '../bench/scratch.js'

const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const DEADLINE_MS = 60_000

/** Calls until there is an answer. */
const untilFound = async <T>(find: () => Promise<T | undefined>, what: string): Promise<T> => {
  const end = Date.now() + DEADLINE_MS
  for (;;) {
    const found = await find().catch(() => undefined)
    if (found !== undefined) return found
    if (Date.now() > end) throw new Error(`${what}: not within ${DEADLINE_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
}

const main = async (): Promise<void> => {
  if (which('prometheus') === undefined) {
    console.log('SKIPPED: no prometheus here (apt-get install prometheus)')
    return
  }
  const scratch = new Scratch()
  try {
    const [port, publicPort, serverMetrics, clientMetrics, web] = await Promise.all(
      [1, 2, 3, 4, 5].map(() => freePort())
    )
    const echo = net.createServer((socket) => socket.pipe(socket)).listen(0, loopback)
    await new Promise((resolve) => echo.once('listening', resolve))
    const service = (echo.address() as net.AddressInfo).port
    const extensions = (metrics: number) => [
      { use: '@rystra/auth-token', options: { token: 'interop-token-3f9c1d7e5b2a48' } },
      { use: '@rystra/observe-prometheus', options: { listen: { port: metrics } } }
    ]
    scratch.write(
      'server.json',
      JSON.stringify({
        extensions: extensions(serverMetrics as number),
        server: { listen: [{ host: loopback, port }], publish: { host: loopback, ports: [publicPort] } }
      })
    )
    scratch.write(
      'client.json',
      JSON.stringify({
        extensions: extensions(clientMetrics as number),
        client: {
          connect: { host: loopback, port },
          proxies: [{ name: 'echo "1"', kind: 'tcp', local: service, port: publicPort }]
        }
      })
    )
    scratch.write(
      'prometheus.yml',
      `global: { scrape_interval: 1s }\nscrape_configs:\n  - job_name: rystra\n    static_configs: [{ targets: ['${loopback}:${serverMetrics}', '${loopback}:${clientMetrics}'] }]\n`
    )
    const env = { ...process.env, RYSTRA_STATE: path.join(scratch.dir, 'state') }
    for (const [command, file] of [
      ['serve', 'server.json'],
      ['connect', 'client.json']
    ] as const)
      scratch.start(process.execPath, [cli, command, '--config', file, '--json'], { cwd: scratch.dir, env })
    scratch.start(
      'prometheus',
      ['--config.file=prometheus.yml', '--storage.tsdb.path=tsdb', `--web.listen-address=${loopback}:${web}`],
      { cwd: scratch.dir }
    )
    await untilFound(
      () =>
        new Promise<true | undefined>((resolve) => {
          const visitor = net.connect(publicPort as number, loopback, () => visitor.write('hello'))
          visitor.on('error', () => resolve(undefined))
          visitor.on('close', () => resolve(undefined))
          visitor.on('data', () => {
            resolve(true)
            visitor.end()
          })
        }),
      'a visitor'
    )
    const query = async (text: string): Promise<string | undefined> => {
      const answer = await fetch(`http://${loopback}:${web}/api/v1/query?query=${encodeURIComponent(text)}`)
      const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
      return data.result[0]?.value[1]
    }
    const expected = {
      'sum(up{job="rystra"})': '2',
      'count(rystra_proxy_published{proxy="echo \\"1\\""} == 1)': '2',
      'min(rystra_proxy_streams_opened_total > 0)': '1'
    }
    for (const [text, value] of Object.entries(expected)) {
      await untilFound(async () => ((await query(text)) === value ? true : undefined), `${text} = ${value}`)
      console.log(`ok  ${text} = ${value}`)
    }
    echo.close()
  } finally {
    await scratch.close()
  }
}

await main()
