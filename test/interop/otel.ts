/**
 * The SDK of OpenTelemetry as users of the command have it: installed in the project, configured by the environment, with an OTLP
 * receiver. Not part of `npm test`: it installs the SDK from the registry, and says aloud when it cannot.
 *
 *     npm run interop:otel          # needs a build
 */
import { until } from '@rystra/testkit'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { freePort, loopback } from '../bench/address.js'
import { Scratch } from '../bench/scratch.js'

const SDK = '@opentelemetry/sdk-node@0.223.0'
const cli = path.resolve(import.meta.dirname, '../../cli/bin/run.js')
const TIMEOUT_MS = 60_000

interface Span {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly service: string
}

const spans: Span[] = []
const metrics = new Set<string>()

/** OTLP over HTTP, as JSON. */
const receiver = http.createServer((request, response) => {
  let text = ''
  request.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  request.on('end', () => {
    const body = JSON.parse(text)
    for (const { resource, scopeSpans = [] } of body.resourceSpans ?? []) {
      const named = resource.attributes.find(({ key }: { key: string }) => key === 'service.name')
      for (const { spans: some } of scopeSpans)
        for (const span of some) spans.push({ ...span, service: named.value.stringValue })
    }
    for (const { scopeMetrics = [] } of body.resourceMetrics ?? [])
      for (const { metrics: some } of scopeMetrics) for (const { name } of some) metrics.add(name)
    response.setHeader('content-type', 'application/json').end('{}')
  })
})

const reached = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
  await until(holds, what, TIMEOUT_MS)
  console.log(`✓ ${what}`)
}

const listen = async (server: http.Server): Promise<number> => {
  server.listen(0, loopback)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const main = async (scratch: Scratch): Promise<void> => {
  scratch.write('package.json', '{ "private": true }')
  try {
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', SDK], { cwd: scratch.dir, timeout: 300_000 })
  } catch {
    console.log(`SKIPPED: ${SDK} cannot be installed here`)
    return
  }
  let traceparent: string | undefined
  const service = http.createServer((request, response) => {
    traceparent = String(request.headers['traceparent'])
    response.end('hello')
  })
  const [otlp, local] = [await listen(receiver), await listen(service)]
  const [control, front] = [await freePort(), await freePort()]
  const extensions = [
    { use: '@rystra/auth-token', options: { token: 'interop-token-3f9c1d7e5b2a48' } },
    { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: front }] } },
    { use: '@rystra/observe-otel', options: { requests: true } }
  ]
  const connect = { transport: 'tcp', host: loopback, port: control }
  scratch.write('server.json', JSON.stringify({ extensions, server: { listen: [connect] } }))
  const proxies = [{ name: 'app', kind: 'http', local, host: 'app.localhost' }]
  scratch.write('client.json', JSON.stringify({ extensions, client: { connect, proxies } }))
  const start = (command: string, name: string) =>
    scratch.start(process.execPath, [cli, command, '--config', `${name}.json`, '--no-admin'], {
      cwd: scratch.dir,
      env: {
        ...process.env,
        RYSTRA_STATE: path.join(scratch.dir, name),
        OTEL_SERVICE_NAME: `rystra-${name}`,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://${loopback}:${otlp}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_METRICS_EXPORTER: 'otlp',
        OTEL_METRIC_EXPORT_INTERVAL: '1000',
        OTEL_METRIC_EXPORT_TIMEOUT: '900',
        OTEL_BSP_SCHEDULE_DELAY: '200',
        OTEL_TRACES_SAMPLER: 'always_on'
      }
    })
  const programs = [start('serve', 'server'), start('connect', 'client')]
  const get = (): Promise<number | undefined> =>
    new Promise((resolve) => {
      const headers = { host: 'app.localhost', traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` }
      http
        .get({ host: loopback, port: front, headers }, (response) => resolve(response.resume().statusCode))
        .on('error', () => resolve(undefined))
    })
  try {
    await reached('a request through the tunnel', async () => (await get()) === 200)
    const own = (name: string): Span | undefined => spans.find((span) => span.service === `rystra-${name}`)
    await reached(
      'both ends export spans by the environment',
      () => own('server') !== undefined && own('client') !== undefined
    )
    const [server, client] = [own('server') as Span, own('client') as Span]
    await reached(
      'they are of the trace of the visitor, one below the other',
      () =>
        server.traceId === 'a'.repeat(32) && client.traceId === server.traceId && client.parentSpanId === server.spanId
    )
    await reached('the service gets the trace', () => traceparent?.startsWith(`00-${'a'.repeat(32)}-`) === true)
    await reached(
      'metrics are exported',
      () => metrics.has('rystra.streams') && metrics.has('http.server.request.duration')
    )
  } catch (error) {
    for (const { said } of programs) console.log(said())
    throw error
  } finally {
    for (const server of [receiver, service]) server.close().closeAllConnections()
  }
}

const scratch = new Scratch()
try {
  await main(scratch)
} finally {
  await scratch.close()
}
