import { type AdminCaller, type AdminRoutes, adminRoute, RystraError, Type } from '@rystra/plugin'
import { curlOf } from './curl.js'
import type { Exchange } from './exchange.js'
import { type Filter, fits } from './filter.js'
import { harOf } from './har.js'
import { liveLines } from './live.js'
import type { IsSecret } from './mask.js'
import type { MakeError, Replayer } from './replay.js'
import type { Ring } from './ring.js'
import { ExchangeSummary, ExchangeView, summaryOf, viewOf } from './view.js'

/** What the routes work with. */
export interface RouteParts {
  readonly ring: Ring
  readonly replayer: Replayer
  readonly isSecret: IsSecret
  readonly error: MakeError
}

/** The largest edited body. */
const MAX_EDITED = 524_288

const params = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) })
const secrets = Type.Boolean({
  default: false,
  description: 'Whether secrets are shown; needs the scope admin. Default: false, they are masked.'
})
const filter = {
  q: Type.Optional(Type.String({ maxLength: 256, description: 'Text in URL, heads or bodies.' })),
  proxy: Type.Optional(Type.String({ maxLength: 128, description: 'Name of the proxy.' })),
  method: Type.Optional(Type.String({ maxLength: 32, description: 'Method.' })),
  status: Type.Optional(Type.String({ pattern: '^([1-5]xx|[1-9][0-9]{2})$', description: 'Status: `404`, or `5xx`.' }))
}

const nothing: IsSecret = () => false

/** Routes below `/v1/extensions/inspect`. */
export const inspectRoutes = ({ ring, replayer, isSecret, error }: RouteParts): AdminRoutes => {
  const maskFor = (wanted: boolean, { scope }: AdminCaller): IsSecret => {
    if (!wanted) return isSecret
    if (scope === 'admin') return nothing
    throw new RystraError('admin.forbidden', { detail: 'secrets are shown to callers of the scope admin' })
  }
  const found = (id: string): Exchange => {
    const exchange = ring.get(id)
    if (exchange === undefined) throw error('not-found', { detail: id })
    return exchange
  }
  const chosen = (by: Filter): Exchange[] => ring.all().filter((one) => fits(one, by, isSecret))

  const list = adminRoute({
    method: 'GET',
    path: '/exchanges',
    summary: 'Requests that were seen, the newest first.',
    query: Type.Object(
      {
        ...filter,
        limit: Type.Integer({
          default: 100,
          minimum: 1,
          maximum: 10_000,
          description: 'Items of a page. Default: 100.'
        }),
        cursor: Type.Optional(Type.String({ maxLength: 64, description: '`next` of the page before.' }))
      },
      { additionalProperties: false }
    ),
    response: Type.Object({
      items: Type.Array(ExchangeSummary),
      total: Type.Integer(),
      next: Type.Optional(Type.String())
    }),
    handle: ({ query: { limit, cursor, ...by } }) => {
      const all = chosen(by as Filter)
      const begin = cursor === undefined ? 0 : all.findIndex(({ id }) => id === cursor) + 1
      const page = all.slice(begin, begin + limit)
      const last = page.at(-1)
      const more = last !== undefined && begin + limit < all.length
      const items = page.map((one) => summaryOf(one, isSecret))
      return { items, total: all.length, ...(more ? { next: last.id } : {}) }
    }
  })

  return {
    name: 'inspect',
    routes: [
      list,
      adminRoute({
        method: 'DELETE',
        path: '/exchanges',
        summary: 'Forgets all requests that were seen.',
        handle: () => {
          ring.clear()
        }
      }),
      adminRoute({
        method: 'GET',
        path: '/live',
        summary: 'Each request that ends, as lines of JSON, for as long as they are read.',
        contentType: 'application/x-ndjson',
        handle: ({ signal }) => liveLines(ring, (one) => JSON.stringify(summaryOf(one, isSecret)), signal)
      }),
      adminRoute({
        method: 'GET',
        path: '/exchanges/:id',
        summary: 'One request with its response: heads, bodies and times.',
        params,
        query: Type.Object({ secrets }, { additionalProperties: false }),
        response: ExchangeView,
        handle: ({ params: { id }, query, caller }) => viewOf(found(id), maskFor(query.secrets, caller))
      }),
      adminRoute({
        method: 'GET',
        path: '/exchanges/:id/curl',
        summary: 'The command that sends the request by curl.',
        params,
        query: Type.Object({ secrets }, { additionalProperties: false }),
        contentType: 'text/plain; charset=utf-8',
        handle: ({ params: { id }, query, caller }) => curlOf(found(id), maskFor(query.secrets, caller))
      }),
      adminRoute({
        method: 'GET',
        path: '/har',
        summary: 'Requests as an HTTP Archive (HAR 1.2), the oldest first.',
        query: Type.Object({ ...filter, secrets }, { additionalProperties: false }),
        handle: ({ query: { secrets: wanted, ...by }, caller }) =>
          harOf(chosen(by as Filter).reverse(), maskFor(wanted, caller))
      }),
      adminRoute({
        method: 'POST',
        path: '/exchanges/:id/replay',
        summary:
          'Sends a request to its service again, as it was or edited, and answers with the exchange that this was.',
        params,
        body: Type.Object(
          {
            method: Type.Optional(Type.String({ minLength: 1, maxLength: 32 })),
            target: Type.Optional(Type.String({ minLength: 1, maxLength: 8192, description: 'Path and query.' })),
            headers: Type.Optional(
              Type.Array(Type.Tuple([Type.String({ maxLength: 256 }), Type.String({ maxLength: 16_384 })]), {
                maxItems: 256,
                description: 'All of them. A masked value stays what it was.'
              })
            ),
            text: Type.Optional(Type.String({ maxLength: MAX_EDITED, description: 'Body as UTF-8.' })),
            base64: Type.Optional(Type.String({ maxLength: MAX_EDITED, description: 'Body, instead of `text`.' }))
          },
          { additionalProperties: false }
        ),
        response: ExchangeView,
        handle: async ({ params: { id }, body: { text, base64, ...edit } }) => {
          const body =
            text !== undefined ? Buffer.from(text) : base64 === undefined ? undefined : Buffer.from(base64, 'base64')
          const again = await replayer.replay(found(id), {
            ...(edit as object),
            ...(body === undefined ? {} : { body })
          })
          return viewOf(again, isSecret)
        }
      })
    ]
  }
}
