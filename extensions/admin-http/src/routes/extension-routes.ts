import type { AdminContent, AdminRoute } from '@rystra/plugin'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Readable } from 'node:stream'
import type { Api, ApiContext } from '../context.js'

const send = async (route: AdminRoute, request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
  const gone = new AbortController()
  if (reply.raw.destroyed) gone.abort()
  else reply.raw.once('close', () => gone.abort())
  const { params, query, body, caller } = request
  const answer = await route.handle({ params, query, body, caller, signal: gone.signal })
  if (answer === undefined) return reply.code(204).send()
  if (route.contentType === undefined) return reply.send(answer)
  const content = answer as AdminContent
  void reply.type(route.contentType)
  return reply.send(typeof content === 'string' || content instanceof Uint8Array ? content : Readable.from(content))
}

/** Routes of extensions, below `/extensions/<name>`. */
export const addExtensionRoutes = (api: Api, { extensionRoutes }: ApiContext): void => {
  for (const { name, routes } of extensionRoutes()) {
    for (const [index, route] of routes.entries()) {
      const { method, path, scope, summary, params, query, body, response, contentType } = route
      api.route({
        method,
        url: `/extensions/${name}${path}`,
        config: scope === undefined ? {} : { scope },
        schema: {
          tags: ['extensions'],
          operationId: `${name}${index}`,
          summary,
          ...(params === undefined ? {} : { params }),
          ...(query === undefined ? {} : { querystring: query }),
          ...(body === undefined ? {} : { body }),
          ...(response === undefined ? {} : { response: { 200: response } }),
          ...(contentType === undefined ? {} : { produces: [contentType] })
        },
        handler: (request, reply) => send(route, request, reply)
      })
    }
  }
}
