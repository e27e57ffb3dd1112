import {
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanOptions,
  type TextMapPropagator,
  trace,
  type Tracer
} from '@opentelemetry/api'
import { CompositePropagator, TraceState, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core'
import type { ObservedRequest, RequestContext } from '@rystra/plugin'
import { expect } from 'chai'
import { headGetter, headSetter } from '../src/carriers.js'
import { injectSpan } from '../src/inject.js'
import { requestObserver, RequestSpans } from '../src/requests.js'

const context = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 0 }

const request = {
  method: 'GET',
  target: '/a?b',
  headers: [['Host', 'app.example.org']],
  proxy: { name: 'web', kind: 'http' },
  visitor: { host: '192.0.2.1', port: 1 },
  session: { id: 's', client: { id: 'c' }, identity: { id: 'i' }, transport: 'tcp' }
} as unknown as ObservedRequest

const tracerOf = (span: Span): Tracer => ({ startSpan: () => span }) as unknown as Tracer

describe('observe-otel, what is not sampled', () => {
  it('has the relay of a client go on without an observer', () => {
    const span = trace.wrapSpanContext(context)
    expect(requestObserver('otel', () => tracerOf(span)).begin(request)).to.equal(undefined)
    const recorded = Object.assign(trace.wrapSpanContext(context), { isRecording: () => true })
    expect(requestObserver('otel', () => tracerOf(recorded)).begin(request)).to.have.property('responseData')
  })

  it('is decided by what samplers use; the way of a request is added to what is recorded', () => {
    const given: (SpanOptions | undefined)[] = []
    const added: object[] = []
    const recorded: Span = Object.assign(trace.wrapSpanContext(context), {
      isRecording: () => true,
      setAttributes(more: object): Span {
        added.push(more)
        return recorded
      }
    })
    const begin = (span: Span): void => {
      const startSpan = (_name: string, options?: SpanOptions): Span => {
        given.push(options)
        return span
      }
      const tracer = { startSpan }
      const spans = new RequestSpans(() => tracer as unknown as Tracer, { visitors: 'continue' })
      spans.begin({ ...request, host: 'app.example.org', secure: true } as unknown as RequestContext)
    }
    begin(trace.wrapSpanContext(context))
    expect(given[0]?.attributes).to.deep.equal({
      'client.address': '192.0.2.1',
      'http.request.method': 'GET',
      'url.path': '/a',
      'url.scheme': 'https',
      'server.address': 'app.example.org',
      'rystra.proxy': 'web'
    })
    expect(added).to.deep.equal([])
    begin(recorded)
    expect(added[0]).to.include({ 'rystra.client': 'c', 'rystra.identity': 'i', 'rystra.transport': 'tcp' })
  })

  it('reads several fields of one name as a list, and writes in place of all of them', () => {
    const head: [string, string][] = [
      ['Traceparent', 'one'],
      ['tracestate', 'a=1'],
      ['accept', '*/*'],
      ['traceparent', 'two'],
      ['tracestate', 'b=2']
    ]
    expect(headGetter.get(head, 'tracestate')).to.equal('a=1,b=2')
    expect(headGetter.get(head, 'accept')).to.equal('*/*')
    expect(headGetter.get(head, 'nothing')).to.equal(undefined)
    headSetter.set(head, 'traceparent', 'x')
    expect(head).to.deep.equal([
      ['traceparent', 'x'],
      ['tracestate', 'a=1'],
      ['accept', '*/*'],
      ['tracestate', 'b=2']
    ])
  })

  it('finds a field of a head by its name, whatever its case', () => {
    const head: [string, string][] = [
      ['tracestats', 'of the same length'],
      ['TraceState', 'a=1'],
      ['accept', '*/*']
    ]
    expect(headGetter.get(head, 'tracestate')).to.equal('a=1')
    headSetter.set(head, 'tracestate', 'a=2')
    headSetter.set(head, 'traceparent', 'x')
    expect(head.slice(1)).to.deep.equal([
      ['tracestate', 'a=2'],
      ['accept', '*/*'],
      ['traceparent', 'x']
    ])
  })
})

describe('observe-otel, the context of a span', () => {
  afterEach(() => propagation.disable())

  const written = (propagator: TextMapPropagator, span: Span): [string, string][] => {
    propagation.setGlobalPropagator(propagator)
    const head: [string, string][] = []
    injectSpan(span, head, headSetter)
    return head
  }

  it('is written as the propagators of W3C write it', () => {
    const traceState = new TraceState('a=1,b=2')
    for (const fields of [{}, { traceFlags: 1 }, { traceState }, { traceFlags: 3, traceState }]) {
      const span = trace.wrapSpanContext({ ...context, ...fields })
      const expected: [string, string][] = []
      const w3c = new W3CTraceContextPropagator()
      w3c.inject(trace.setSpan(ROOT_CONTEXT, span), expected, headSetter)
      expect(expected).not.to.deep.equal([])
      expect(written(w3c, span)).to.deep.equal(expected)
      propagation.disable()
      const both = new CompositePropagator({ propagators: [w3c, new W3CBaggagePropagator()] })
      expect(written(both, span)).to.deep.equal(expected)
      propagation.disable()
    }
  })

  it('is left to a propagator that writes other fields, and to none', () => {
    const b3: TextMapPropagator = {
      inject: (from, carrier, setter) => setter.set(carrier, 'b3', String(trace.getSpanContext(from)?.spanId)),
      extract: (from) => from,
      fields: () => ['b3']
    }
    const span = trace.wrapSpanContext(context)
    expect(written(b3, span)).to.deep.equal([['b3', context.spanId]])
    propagation.disable()
    const both = new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), b3] })
    expect(written(both, span).map(([name]) => name)).to.deep.equal(['traceparent', 'b3'])
    propagation.disable()
    const head: [string, string][] = []
    injectSpan(span, head, headSetter)
    expect(head).to.deep.equal([])
  })
})
