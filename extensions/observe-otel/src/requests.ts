import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
  type Tracer
} from '@opentelemetry/api'
import type { CloseRequestContext, ExchangeObserver, HttpObserver, RequestContext } from '@rystra/plugin'
import { errorAttributes, methodOf, requestAttributes, wayAttributes } from './attributes.js'
import { headGetter, headSetter } from './carriers.js'
import { injectSpan } from './inject.js'
import type { OtelOptions } from './options.js'

/** Bodies are in a span by their length alone. */
const ended = (span: Span, status: number, error: CloseRequestContext['error']): void => {
  if (status > 0) span.setAttribute('http.response.status_code', status)
  span.setAttributes(errorAttributes(error))
  if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error.code })
  else if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('error.type', String(status))
  span.end()
}

/** Spans of requests at the server. */
export class RequestSpans {
  readonly #tracer: () => Tracer
  readonly #continues: boolean
  readonly #spans = new WeakMap<RequestContext, Span>()

  constructor(tracer: () => Tracer, { visitors }: Pick<OtelOptions, 'visitors'>) {
    this.#tracer = tracer
    this.#continues = visitors === 'continue'
  }

  begin(request: RequestContext): void {
    const { headers } = request
    const received = propagation.extract(ROOT_CONTEXT, headers, headGetter)
    const options: SpanOptions = { kind: SpanKind.SERVER, attributes: requestAttributes(request) }
    const remote = this.#continues ? undefined : trace.getSpanContext(received)
    if (remote !== undefined) options.links = [{ context: remote }]
    const name = `${methodOf(request.method)} ${request.proxy.name}`
    const span = this.#tracer().startSpan(name, options, this.#continues ? received : ROOT_CONTEXT)
    // What is not sampled keeps nothing, and has nothing to end.
    if (span.isRecording()) this.#spans.set(request, span.setAttributes(wayAttributes(request)))
    injectSpan(span, headers, headSetter)
  }

  end({ request, status, bytesToService, bytesToVisitor, error }: CloseRequestContext): void {
    const span = this.#spans.get(request)
    if (span === undefined) return
    this.#spans.delete(request)
    span.setAttributes({ 'http.request.body.size': bytesToService, 'http.response.body.size': bytesToVisitor })
    ended(span, status, error)
  }
}

/** Spans of requests at the client, from the head to the end of the response of the service. */
export const requestObserver = (name: string, tracer: () => Tracer): HttpObserver => ({
  name,
  begin(request): ExchangeObserver | undefined {
    const received = propagation.extract(context.active(), request.headers, headGetter)
    const span = tracer().startSpan(
      `${methodOf(request.method)} ${request.proxy.name}`,
      { kind: SpanKind.CLIENT, attributes: requestAttributes(request) },
      received
    )
    // Not sampled: the relay of the exchange stays as fast as without an observer.
    if (!span.isRecording()) return undefined
    span.setAttributes(wayAttributes(request))
    let status = 0
    return {
      requestData() {},
      sent() {},
      response(given) {
        status = given
      },
      responseData() {},
      upgraded() {},
      end: (error) => ended(span, status, error)
    }
  }
})
