import { RystraError, type TSchema, Type } from '@rystra/plugin'
import type { FastifyRequest } from 'fastify'
import type { Api, ApiContext } from '../context.js'
import type { ForwardedCall } from '../forwarded.js'
import { RemoteSessionView } from '../cluster-view.js'
import { contains, pageOf } from '../pages.js'
import {
  CertificateView,
  ExtensionView,
  filters,
  ListenerView,
  listQuery,
  SessionView,
  StreamView
} from '../schemas.js'
import { extensionView, listenerView, sessionView, streamView } from '../views.js'

/** The schema of one page. */
export const pageSchema = <Item extends TSchema>(item: Item) =>
  Type.Object({
    items: Type.Array(item),
    total: Type.Integer({ description: 'Items that fit the filters, of all pages.' }),
    next: Type.Optional(Type.String({ description: '`cursor` of the next page; absent on the last.' }))
  })

/** The parameter of routes of one thing. */
export const idParams = Type.Object({ id: Type.String({ minLength: 1, maxLength: 512 }) })

/** `control.not-found`, for ids that are gone. */
export const notFound = (what: string, id: string, hint?: string): RystraError =>
  new RystraError('control.not-found', { detail: `${what} ${id}`, ...(hint === undefined ? {} : { hint }) })

/** The same for a session, which another server of the cluster may have. */
export const noSession = ({ cluster }: ApiContext['runtime'], id: string): RystraError => {
  const member = cluster?.session(id)?.member
  return notFound('session', id, member === undefined ? undefined : `the server ${member} has it: ask there`)
}

/** Has another server of the cluster answer where it has the session. Throws `control.not-found` otherwise. */
export const passOn = async (
  { runtime, forwarded }: ApiContext,
  request: FastifyRequest,
  reply: { code(status: number): { send(body: unknown): unknown } },
  { id, what = 'session' }: { readonly id: string; readonly what?: string }
): Promise<never> => {
  const session = what === 'session' ? id : id.slice(0, Math.max(0, id.indexOf('.')))
  // It was passed on already: one hop.
  const member = request.isForwarded ? undefined : forwarded.memberOf(session)
  if (member === undefined) throw what === 'session' ? noSession(runtime, id) : notFound(what, id)
  const { method, url, body, caller } = request
  const response = await forwarded.pass(member, { method: method as ForwardedCall['method'], url, body, caller })
  return reply.code(response.status).send(response.body) as never
}

/** Whether a filter is not set, or fits. */
export const equals = (wanted: string | undefined, value: string | undefined): boolean =>
  wanted === undefined || wanted === value

const addSessions = (api: Api, context: ApiContext): void => {
  const { runtime } = context
  const { session: _session, proxy: _proxy, kind: _kind, state: _state, ...ofSessions } = filters
  api.get(
    '/sessions',
    {
      schema: {
        tags: ['state'],
        operationId: 'sessions',
        summary: 'Sessions: the clients of a server, the servers of a client. Oldest first.',
        querystring: Type.Object({ ...listQuery, ...ofSessions }, { additionalProperties: false }),
        response: { 200: pageSchema(SessionView) }
      }
    },
    async ({ query: { limit, cursor, q, client, identity } }, reply) =>
      reply.type('application/json; charset=utf-8').send(
        pageOf({
          items: runtime.sessions(),
          position: ({ info }) => [info.since, info.id],
          fits: ({ info }) =>
            equals(client, info.client.id) &&
            equals(identity, info.identity.id) &&
            contains(q, info.id, info.client.id, info.identity.id, info.peer.address),
          view: (handle) => sessionView({ info: handle.info, stats: handle.stats() }),
          limit,
          cursor
        })
      )
  )
  api.get(
    '/sessions/:id',
    {
      schema: {
        tags: ['state'],
        operationId: 'session',
        summary: 'One session.',
        params: idParams,
        response: { 200: SessionView }
      }
    },
    (request, reply) => {
      const { id } = request.params
      const handle = runtime.session(id)
      if (handle === undefined) return passOn(context, request, reply, { id })
      return sessionView({ info: handle.info, stats: handle.stats() })
    }
  )
}

const addRemoteSessions = (api: Api, { runtime }: ApiContext): void => {
  const { client, identity } = filters
  api.get(
    '/cluster/sessions',
    {
      schema: {
        tags: ['state'],
        operationId: 'clusterSessions',
        summary: 'Sessions of the other servers of the cluster, oldest first; none without one.',
        querystring: Type.Object({ ...listQuery, client, identity }, { additionalProperties: false }),
        response: { 200: pageSchema(RemoteSessionView) }
      }
    },
    async ({ query: { limit, cursor, q, client, identity } }) =>
      pageOf({
        items: runtime.cluster?.sessions() ?? [],
        position: ({ info }) => [info.since, info.id],
        fits: ({ info }) =>
          equals(client, info.client.id) &&
          equals(identity, info.identity.id) &&
          contains(q, info.id, info.client.id, info.identity.id),
        view: ({ info, member }) => ({
          id: info.id,
          client: info.client.id,
          identity: info.identity.id,
          member,
          since: info.since
        }),
        limit,
        cursor
      })
  )
}

const addStreams = (api: Api, { runtime }: ApiContext): void => {
  const { state: _state, ...ofStreams } = filters
  api.get(
    '/streams',
    {
      schema: {
        tags: ['state'],
        operationId: 'streams',
        summary: 'Open streams, oldest first.',
        querystring: Type.Object({ ...listQuery, ...ofStreams }, { additionalProperties: false }),
        response: { 200: pageSchema(StreamView) }
      }
    },
    async ({ query: { limit, cursor, q, session, client, identity, proxy, kind } }, reply) =>
      reply.type('application/json; charset=utf-8').send(
        pageOf({
          items: runtime.streams(),
          position: (handle) => [handle.stats().openedAt, handle.id],
          fits: ({ id, info }) =>
            equals(session, info.session.id) &&
            equals(client, info.session.client.id) &&
            equals(identity, info.session.identity.id) &&
            equals(proxy, info.proxy.name) &&
            equals(kind, info.proxy.kind) &&
            contains(q, id, info.proxy.name, info.visitor.host, info.session.client.id, info.session.identity.id),
          view: streamView,
          limit,
          cursor
        })
      )
  )
  api.get(
    '/streams/:id',
    {
      schema: {
        tags: ['state'],
        operationId: 'stream',
        summary: 'One open stream.',
        params: idParams,
        response: { 200: StreamView }
      }
    },
    ({ params: { id } }) => {
      const handle = runtime.stream(id)
      if (handle === undefined) throw notFound('stream', id)
      return streamView(handle)
    }
  )
}

/** Lists of what runs. */
export const addLists = (api: Api, context: ApiContext): void => {
  const { runtime } = context
  addSessions(api, context)
  addRemoteSessions(api, context)
  addStreams(api, context)
  api.get(
    '/listeners',
    {
      schema: {
        tags: ['state'],
        operationId: 'listeners',
        summary: 'Addresses at which a server accepts clients.',
        response: { 200: pageSchema(ListenerView) }
      }
    },
    () => {
      const items = [...runtime.listeners()].map(listenerView)
      return { items, total: items.length }
    }
  )
  api.get(
    '/certificates',
    {
      schema: {
        tags: ['state'],
        operationId: 'certificates',
        summary: 'Certificates of hosts whose TLS ends at a server, from an authority. By host.',
        querystring: Type.Object(listQuery, { additionalProperties: false }),
        response: { 200: pageSchema(CertificateView) }
      }
    },
    async ({ query: { limit, cursor, q } }, reply) =>
      reply.type('application/json; charset=utf-8').send(
        pageOf({
          items: runtime.certificates(),
          position: ({ host }) => [0, host],
          fits: ({ host, source, state }) => contains(q, host, source, state),
          view: (info) => info,
          limit,
          cursor
        })
      )
  )
  api.get(
    '/extensions',
    {
      schema: {
        tags: ['state'],
        operationId: 'extensions',
        summary: 'Loaded extensions with their taps, in the order of the configuration.',
        response: { 200: pageSchema(ExtensionView) }
      }
    },
    () => {
      const items = [...runtime.extensions()].map(extensionView)
      return { items, total: items.length }
    }
  )
}
