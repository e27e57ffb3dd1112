import { isRystraError, type ProxySpec, RystraError, Type } from '@rystra/plugin'
import type { Api, ApiContext } from '../context.js'
import { contains, pageOf } from '../pages.js'
import { filters, listQuery, ProxyView } from '../schemas.js'
import { proxyView } from '../views.js'
import { equals, idParams, pageSchema, passOn } from './lists.js'

const AddProxy = Type.Object(
  {
    spec: Type.Object(
      {
        name: Type.String({ minLength: 1, maxLength: 128, description: 'Name of the proxy.' }),
        kind: Type.String({ minLength: 1, maxLength: 64, description: 'Kind of the proxy.' })
      },
      { additionalProperties: true, description: 'Fields of the kind, as in `client.proxies`.' }
    ),
    session: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        description: 'On a server: id of the session, or of the client, that is to have it. Left out on a client.'
      })
    ),
    persist: Type.Boolean({
      default: false,
      description:
        'Whether it survives reconnects and restarts. On a client `control.unavailable`: write it into `client.proxies`. Default: false.'
    })
  },
  { additionalProperties: false }
)

/** Proxies: listed, added and taken back. */
export const addProxies = (api: Api, context: ApiContext): void => {
  const { runtime, kinds } = context
  const { proxy: _proxy, ...ofProxies } = filters
  api.get(
    '/proxies',
    {
      schema: {
        tags: ['state'],
        operationId: 'proxies',
        summary: 'Proxies, by age of their session and name.',
        querystring: Type.Object({ ...listQuery, ...ofProxies }, { additionalProperties: false }),
        response: { 200: pageSchema(ProxyView) }
      }
    },
    async ({ query: { limit, cursor, q, session, client, identity, kind, state } }, reply) =>
      reply.type('application/json; charset=utf-8').send(
        pageOf({
          items: runtime.proxies(),
          position: ({ id, info }) => [info.session?.since ?? 0, id],
          fits: ({ info }) =>
            equals(session, info.session?.id) &&
            equals(client, info.session?.client.id ?? info.owner?.client) &&
            equals(identity, info.session?.identity.id ?? info.owner?.identity) &&
            equals(kind, info.spec.kind) &&
            equals(state, info.state) &&
            contains(
              q,
              info.spec.name,
              info.spec.kind,
              info.address,
              info.session?.client.id ?? info.owner?.client,
              info.session?.identity.id ?? info.owner?.identity
            ),
          view: (handle) => proxyView(handle, kinds),
          limit,
          cursor
        })
      )
  )
  api.get(
    '/proxies/:id',
    {
      schema: {
        tags: ['state'],
        operationId: 'proxy',
        summary: 'One proxy.',
        params: idParams,
        response: { 200: ProxyView }
      }
    },
    (request, reply) => {
      const { id } = request.params
      const handle = runtime.proxy(id)
      if (handle === undefined) return passOn(context, request, reply, { id, what: 'proxy' })
      return proxyView(handle, kinds)
    }
  )
  api.post(
    '/proxies',
    {
      schema: {
        tags: ['control'],
        operationId: 'addProxy',
        summary: 'Adds a proxy: to a client of this server, as far as it accepts it, or to this client.',
        body: AddProxy,
        response: { 201: ProxyView }
      }
    },
    async (request, reply) => {
      const { caller } = request
      const { spec, session, persist } = request.body
      try {
        const handle = await runtime.control.addProxy(spec as ProxySpec, session, { persist, by: caller.name })
        return reply.code(201).send(proxyView(handle, kinds))
      } catch (error) {
        const isRemote = session !== undefined && context.forwarded.memberOf(session) !== undefined
        if (!isRemote || !isRystraError(error) || error.code !== 'control.not-found') throw error
        return passOn(context, request, reply, { id: session })
      }
    }
  )
  api.delete(
    '/proxies/:id',
    {
      schema: {
        tags: ['control'],
        operationId: 'removeProxy',
        summary: 'Takes a proxy back; its open streams go on. One that was added here is forgotten.',
        params: idParams,
        response: { 204: Type.Null() }
      }
    },
    async (request, reply) => {
      const { params, caller } = request
      const { id } = params
      const handle = runtime.proxy(id)
      try {
        await runtime.control.removeProxy(id)
      } catch (error) {
        // Not one that was added: it is of the configuration, or of the client.
        const known = isRystraError(error) && /^control\.(not-found|unavailable)$/.test(error.code)
        if (!known) throw error
        if (handle === undefined) return passOn(context, request, reply, { id, what: 'proxy' })
        handle.close(new RystraError('proxy.refused', { detail: `taken back by an administrator (${caller.name})` }))
      }
      return reply.code(204).send(null)
    }
  )
}
