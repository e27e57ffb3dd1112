import { trace, type Tracer } from '@opentelemetry/api'
import { defineExtension, GUARD, type StreamInfo } from '@rystra/plugin'
import { EndMetrics } from './metrics.js'
import { type OtelOptions, otelOptions } from './options.js'
import { requestObserver, RequestSpans } from './requests.js'
import { startSdk } from './sdk.js'
import { StreamSpans } from './streams.js'

export type { OtelOptions } from './options.js'

/** Spans and metrics by the API of OpenTelemetry, for both ends: where they go, an SDK decides. */
export default defineExtension({
  name: 'observe-otel',
  options: otelOptions,
  setup({ hooks, registries, options, role, runtime, dir, log, name }) {
    // Taken again when an SDK is there: one of another copy of the API, as in the project of a command that is installed elsewhere,
    // does not reach a tracer from before.
    let current = trace.getTracer('rystra')
    const tracer = (): Tracer => current
    const metrics = new EndMetrics(runtime)
    if (role === 'server') {
      const requests = new RequestSpans(tracer, options)
      // First: what other taps change and refuse belongs to the span.
      hooks.onRequest.tap({ stage: GUARD - 1 }, (request) => requests.begin(request))
      hooks.onCloseRequest.tap((closed) => {
        requests.end(closed)
        metrics.request(closed)
      })
    } else if (options.requests) registries.httpObservers.add(requestObserver(name, tracer))
    if (options.streams) {
      const streams = new StreamSpans(tracer, role)
      const isHttp = (kind: string): boolean =>
        registries.proxies.has(kind) && registries.proxies.get(kind).exposed?.by === 'requests'
      // Streams of HTTP are shared by visitors where no hook checks them: requests have spans instead. A client takes up
      // what its server has begun.
      const concerns = ({ proxy, trace: traceparent }: StreamInfo): boolean =>
        role === 'server' ? !isHttp(proxy.kind) : traceparent !== undefined
      hooks.onOpenStream.tap({ stage: GUARD - 1, concerns }, (stream) => streams.open(stream))
      hooks.onCloseStream.tap((stream) => streams.close(stream))
    }
    let stopSdk: (() => Promise<void>) | undefined
    return {
      async start() {
        stopSdk = await startSdk(dir, log)
        current = trace.getTracer('rystra')
        metrics.start()
      },
      async stop() {
        metrics.stop()
        await stopSdk?.()
        stopSdk = undefined
      }
    }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/observe-otel': Partial<OtelOptions>
  }
}
