import { propagation, ROOT_CONTEXT, type Span, SpanKind, SpanStatusCode, trace, type Tracer } from '@opentelemetry/api'
import type { CloseStreamContext, OpenStreamContext, Side, StreamInfo } from '@rystra/plugin'
import { errorAttributes, wayAttributes } from './attributes.js'
import { type StreamCarrier, streamSetter } from './carriers.js'
import { injectSpan } from './inject.js'

const keyOf = ({ session, id }: StreamInfo): string => `${session.id}.${id}`

/** Spans of streams at one end. That of the client is a child of that of the server, which says so in the head of the stream. */
export class StreamSpans {
  readonly #tracer: () => Tracer
  readonly #side: Side
  readonly #spans = new Map<string, Span>()

  constructor(tracer: () => Tracer, side: Side) {
    this.#tracer = tracer
    this.#side = side
  }

  open(stream: OpenStreamContext): void {
    const { trace: traceparent } = stream
    const parent =
      this.#side === 'server' || traceparent === undefined
        ? ROOT_CONTEXT
        : propagation.extract(ROOT_CONTEXT, { traceparent })
    const span = this.#tracer().startSpan(
      `stream ${stream.proxy.name}`,
      { kind: this.#side === 'server' ? SpanKind.SERVER : SpanKind.CLIENT, attributes: wayAttributes(stream) },
      parent
    )
    if (!trace.isSpanContextValid(span.spanContext())) return
    // What is not sampled keeps nothing, and has nothing to end.
    if (span.isRecording()) this.#spans.set(keyOf(stream), span)
    if (this.#side === 'client') return
    const carrier: StreamCarrier = {}
    injectSpan(span, carrier, streamSetter)
    if (carrier.traceparent !== undefined) stream.carryTrace(carrier.traceparent)
  }

  close(stream: CloseStreamContext): void {
    const key = keyOf(stream)
    const span = this.#spans.get(key)
    if (span === undefined) return
    this.#spans.delete(key)
    const { bytesToService, bytesToVisitor, reason, error } = stream
    span.setAttributes({
      'rystra.bytes_to_service': bytesToService,
      'rystra.bytes_to_visitor': bytesToVisitor,
      'rystra.close_reason': reason,
      ...errorAttributes(error)
    })
    if (reason === 'error' || reason === 'refused')
      span.setStatus({ code: SpanStatusCode.ERROR, ...(error === undefined ? {} : { message: error.code }) })
    span.end()
  }
}
