import { Type } from '@rystra/plugin'
import { performance } from 'node:perf_hooks'
import type { Api, ApiContext } from '../context.js'
import { MetricView, ProcessView, StatusView } from '../schemas.js'

const processView = (): ProcessView => {
  const { rss, heapUsed, heapTotal } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return {
    pid: process.pid,
    uptime: process.uptime(),
    rss,
    heapUsed,
    heapTotal,
    cpuUser: user / 1e6,
    cpuSystem: system / 1e6,
    eventLoopUtilization: performance.eventLoopUtilization().utilization,
    node: process.version
  }
}

const statusOf = ({ runtime, clock, draining, version }: ApiContext, caller: StatusView['caller']): StatusView => {
  const { side, events, control } = runtime
  const { logLevel, revision } = control
  return {
    ...runtime.stats(),
    side,
    state: draining() ? 'draining' : 'running',
    version,
    now: clock.now(),
    revision,
    ...(logLevel === undefined ? {} : { logLevel }),
    caller,
    run: events.run,
    sequence: events.sequence,
    process: processView()
  }
}

/** Whether visitors, or the proxies of a client, are served. */
const isReady = ({ runtime, draining }: ApiContext): boolean => {
  if (draining()) return false
  const needed = runtime.side === 'server' ? runtime.listeners() : runtime.sessions()
  for (const _one of needed) return true
  return false
}

const simple = Type.Object({ status: Type.String() })

/** Whole state of one end, and what monitoring asks for. */
export const addStatus = (api: Api, context: ApiContext): void => {
  api.get(
    '/status',
    {
      schema: {
        tags: ['state'],
        operationId: 'status',
        summary: 'State and totals of this end.',
        response: { 200: StatusView }
      }
    },
    (request) => statusOf(context, request.caller)
  )
  api.get(
    '/metrics',
    {
      schema: {
        tags: ['state'],
        operationId: 'metrics',
        summary:
          'Totals of this end, numbers of its process, and metrics of extensions. The extension observe-prometheus has them for Prometheus.',
        response: {
          200: Type.Object({ totals: Type.Unknown(), process: ProcessView, metrics: Type.Array(MetricView) })
        }
      }
    },
    () => ({
      totals: context.runtime.stats(),
      process: processView(),
      metrics: context.metrics.snapshot() as MetricView[]
    })
  )
  api.get(
    '/health',
    {
      config: { scope: 'public' },
      schema: {
        tags: ['state'],
        operationId: 'health',
        summary: 'Whether the process answers. Needs no token.',
        security: [],
        response: { 200: simple }
      }
    },
    () => ({ status: 'ok' })
  )
  api.get(
    '/ready',
    {
      config: { scope: 'public' },
      schema: {
        tags: ['state'],
        operationId: 'ready',
        summary: 'Whether it serves: a server listens, a client has a session, and neither drains. Needs no token.',
        security: [],
        response: { 200: simple, 503: simple }
      }
    },
    async (_request, reply) => {
      const ready = isReady(context)
      return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready' })
    }
  )
}
