import { context, metrics, propagation, SpanKind, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader
} from '@opentelemetry/sdk-metrics'
import { AlwaysOffSampler, BasicTracerProvider, type Sampler, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import observeOtel from '@rystra/observe-otel'
import { until } from '@rystra/testkit'
import { expect } from 'chai'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { ask, frontPort, mirror, startHttpClient, startHttpServer, startHttpService } from './http-world.js'
import { cleanUp, echo, later, startService, visit, visitorPort } from './tunnel.js'

interface Received {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly links?: readonly { readonly traceId: string }[]
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[]
  readonly status?: { readonly code?: number }
}

/** Receives OTLP over HTTP. */
const receiver = async () => {
  const spans: Received[] = []
  const server = http.createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += String(chunk)
    })
    request.on('end', () => {
      for (const { scopeSpans } of JSON.parse(text).resourceSpans)
        for (const { spans: some } of scopeSpans) spans.push(...some)
      response.setHeader('content-type', 'application/json').end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  later(() => {
    server.closeAllConnections()
    server.close()
  })
  return { spans, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces` }
}

/** An SDK as a program starts one, which exports to the receiver. */
const startSdk = async (sampler?: Sampler) => {
  const { spans, url } = await receiver()
  const provider = new BasicTracerProvider({
    ...(sampler === undefined ? {} : { sampler }),
    spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter({ url }))]
  })
  trace.setGlobalTracerProvider(provider)
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  later(async () => {
    trace.disable()
    propagation.disable()
    context.disable()
    await provider.shutdown()
  })
  return spans
}

const attributeOf = ({ attributes }: Received, wanted: string): unknown =>
  Object.values(attributes.find(({ key }) => key === wanted)?.value ?? {})[0]

const tunnel = async (server = {}, client = {}) => {
  const service = await startHttpService((request, response) => {
    if (request.url === '/broken') response.writeHead(500).end()
    else void mirror(request, response)
  })
  const raw = await startService(echo)
  const end = await startHttpServer({}, [observeOtel(server)])
  const proxies = [
    { name: 'app', kind: 'http', local: service.port, host: 'app.example.org' },
    { name: 'db', kind: 'tcp', local: raw }
  ]
  const made = await startHttpClient(end, proxies, {}, [observeOtel(client)])
  return { client: made, front: frontPort(made, 'app'), port: visitorPort(made, 'db') }
}

const traceId = '0af7651916cd43dd8448eb211c80319c'
const visitorSpan = 'b7ad6b7169203331'
const headers = { traceparent: `00-${traceId}-${visitorSpan}-01` }

const exchange = async (port: number): Promise<void> => {
  const socket = await visit(port)
  socket.write('hello')
  await once(socket, 'data')
  socket.end()
  await once(socket.resume(), 'close')
}

describe('observe-otel', () => {
  afterEach(cleanUp)

  it('has spans from the visitor to the service by HTTP heads, received by OTLP', async () => {
    const spans = await startSdk()
    const { front } = await tunnel({}, { requests: true })
    const answered = await ask(front, 'app.example.org', '/a?secret=1', { headers })
    await until(() => spans.length === 2)
    const server = spans.find(({ parentSpanId }) => parentSpanId === visitorSpan) as Received
    const client = spans.find((one) => one !== server) as Received
    expect([server.traceId, client.traceId]).deep.equal([traceId, traceId])
    expect(client.parentSpanId).equal(server.spanId)
    // In OTLP the kinds begin at 1.
    expect([server.kind, client.kind]).deep.equal([SpanKind.SERVER + 1, SpanKind.CLIENT + 1])
    expect(JSON.parse(answered.body).headers.traceparent).equal(`00-${traceId}-${server.spanId}-01`)
    expect(server.name).equal('GET app')
    expect(attributeOf(server, 'url.path')).equal('/a')
    expect(Number(attributeOf(server, 'http.response.status_code'))).equal(200)
    expect(JSON.stringify(spans)).not.include('secret')
    await ask(front, 'app.example.org', '/broken', { method: 'PROPFIND' })
    await until(() => spans.length === 4)
    expect(spans[2]?.name).equal('_OTHER app')
    expect(spans.slice(2).map(({ status }) => status?.code)).deep.equal([2, 2])
  })

  it('has spans of streams at both ends, by the head of the stream', async () => {
    const spans = await startSdk()
    const { port } = await tunnel()
    await exchange(port)
    await until(() => spans.length === 2)
    const server = spans.find(({ kind }) => kind === SpanKind.SERVER + 1) as Received
    const client = spans.find(({ kind }) => kind === SpanKind.CLIENT + 1) as Received
    expect([client.traceId, client.parentSpanId]).deep.equal([server.traceId, server.spanId])
    expect(Number(attributeOf(server, 'rystra.bytes_to_service'))).equal(5)
    expect(attributeOf(client, 'rystra.proxy')).equal('db')
  })

  it('begins another trace with a link where visitors are not to decide what is sampled', async () => {
    const spans = await startSdk()
    const { front } = await tunnel({ visitors: 'link' })
    await ask(front, 'app.example.org', '/', { headers })
    await until(() => spans.length === 1)
    expect(spans[0]?.traceId).not.equal(traceId)
    expect(spans[0]?.links?.map((link) => link.traceId)).deep.equal([traceId])
    await ask(front, 'app.example.org', '/', { headers: { traceparent: 'garbage' } })
    await until(() => spans.length === 2)
    expect(spans[1]?.links ?? []).deep.equal([])
  })

  it('exports nothing of what the SDK does not sample, and the service is told so', async () => {
    const spans = await startSdk(new AlwaysOffSampler())
    const { front, port } = await tunnel({}, { requests: true })
    const { body } = await ask(front, 'app.example.org', '/', { headers })
    expect(JSON.parse(body).headers.traceparent).match(/-00$/)
    await exchange(port)
    expect(spans).deep.equal([])
  })

  it('does nothing without an SDK: what a visitor sends goes on as it is', async () => {
    const { front, port } = await tunnel({}, { requests: true })
    const { body } = await ask(front, 'app.example.org', '/', { headers })
    expect(JSON.parse(body).headers.traceparent).equal(headers.traceparent)
    await exchange(port)
  })

  it('has metrics of both ends and the duration of requests', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ readers: [reader] })
    metrics.setGlobalMeterProvider(provider)
    later(async () => {
      metrics.disable()
      await provider.shutdown()
    })
    const { front } = await tunnel()
    await ask(front, 'app.example.org', '/')
    await until(async () => {
      exporter.reset()
      await reader.forceFlush()
      return exporter
        .getMetrics()
        .some(({ scopeMetrics }) =>
          scopeMetrics.some((scope) =>
            scope.metrics.some(({ descriptor: { name } }) => name === 'http.server.request.duration')
          )
        )
    })
    const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    const points = (wanted: string) =>
      all
        .filter(({ descriptor }) => descriptor.name === wanted)
        .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => [attributes['rystra.side'], value]))
    expect(points('rystra.sessions')).deep.include.members([
      ['server', 1],
      ['client', 1]
    ])
    expect(points('rystra.proxies')).deep.include.members([['server', 2]])
  })
})
