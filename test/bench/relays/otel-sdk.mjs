/** An SDK of OpenTelemetry as a program starts one: one trace in a hundred goes to an OTLP receiver. Loaded into an end of the bench. */
import { propagation, trace } from '@opentelemetry/api'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler
} from '@opentelemetry/sdk-trace-base'
import { defineExtension, Type } from '@rystra/plugin'

export default defineExtension({
  name: 'bench-otel-sdk',
  options: Type.Object({ url: Type.String(), share: Type.Number() }),
  setup({ options: { url, share } }) {
    const provider = new BasicTracerProvider({
      sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) }),
      spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url }))]
    })
    trace.setGlobalTracerProvider(provider)
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    return { stop: () => provider.shutdown() }
  }
})
