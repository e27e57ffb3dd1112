import type { OpenStreamContext, ProxySpec, RequestContext, ResponseContext, StreamInfo } from '@rystra/plugin'
import { FakeClock, type RecordedTap, sessionInfo, setUpExtension } from '@rystra/testkit'
import type { Transform } from 'node:stream'
import hookRewrite, { type RewriteOptions } from '../src/index.js'

const session = sessionInfo()
const visitor = { host: '198.51.100.7', port: 55_000, to: { host: '203.0.113.1', port: 8080 } }

/** What the extension does with heads and streams, with these rules. */
export const rewrite = (rules: RewriteOptions['rules'], more: { readonly hold?: number } = {}) => {
  const clock = new FakeClock()
  const { taps } = setUpExtension(hookRewrite({ rules, ...more }), 'server', { clock })
  const tap = (hook: string): RecordedTap | undefined => taps.find((one) => one.hook === hook)
  return {
    clock,
    taps,
    request(context: Partial<RequestContext> = {}): RequestContext {
      const whole: RequestContext = {
        id: 'r1',
        proxy: { name: 'web', kind: 'http' },
        visitor,
        session,
        method: 'GET',
        host: 'app.example.org',
        secure: false,
        target: '/',
        headers: [],
        ...context
      }
      ;(tap('onRequest')?.fn as ((context: RequestContext) => void) | undefined)?.(whole)
      return whole
    },
    response(headers: [string, string][], request: RequestContext): ResponseContext {
      const whole: ResponseContext = { request, status: 200, headers }
      ;(tap('onResponse')?.fn as ((context: ResponseContext) => void) | undefined)?.(whole)
      return whole
    },
    /** The transforms of a stream; `undefined` when it does not concern the extension. */
    open(proxy: ProxySpec): Record<'toService' | 'toVisitor', Transform[]> | undefined {
      const open = tap('onOpenStream')
      const stream: StreamInfo = { id: '1', proxy, session, visitor, side: 'server' }
      const { concerns } = (open?.options ?? {}) as { concerns?: (stream: StreamInfo) => boolean }
      if (open === undefined || concerns?.(stream) === false) return undefined
      const path: Record<'toService' | 'toVisitor', Transform[]> = { toService: [], toVisitor: [] }
      const context: OpenStreamContext = {
        ...stream,
        pace: () => undefined,
        carryTrace: () => {},
        through: ({ toService, toVisitor }) => {
          if (toService !== undefined) path.toService.push(toService)
          if (toVisitor !== undefined) path.toVisitor.push(toVisitor)
        }
      }
      ;(open.fn as (context: OpenStreamContext) => void)(context)
      return path
    }
  }
}
