import { type Span, trace, type Tracer } from '@opentelemetry/api'
import type { ObservedRequest } from '@rystra/plugin'
import { expect } from 'chai'
import { headGetter, headSetter } from '../src/carriers.js'
import { requestObserver } from '../src/requests.js'

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
