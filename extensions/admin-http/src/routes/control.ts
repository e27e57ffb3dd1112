import { RystraError, Type } from '@rystra/plugin'
import type { Api, ApiContext } from '../context.js'
import { allows } from '../gate.js'
import { HttpError } from '../problem.js'
import { logLevel } from '../schemas.js'
import { idParams, notFound, passOn } from './lists.js'

const configBody = Type.Object(
  {
    config: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: true,
          description: 'The whole configuration. Default: the file that this end was started with is read again.'
        }
      )
    )
  },
  { additionalProperties: false }
)

/** The entity tag of a revision. */
const tagOf = (revision: string): string => `"${revision}"`

const ifMatch = Type.Object({ 'if-match': Type.Optional(Type.String({ maxLength: 256 })) })

/** Throws 412 unless the tag is that of the configuration in force. */
const checkMatch = (header: string | undefined, revision: string): void => {
  if (header === undefined || header.trim() === '*') return
  const tags = header.split(',').map((tag) => tag.trim())
  if (!tags.includes(tagOf(revision)))
    throw new HttpError(412, 'control.conflict', `the revision in force is ${revision}`)
}

const addConfiguration = (api: Api, { runtime: { control } }: ApiContext): void => {
  api.get(
    '/config',
    {
      schema: {
        tags: ['state'],
        operationId: 'config',
        summary:
          'The configuration in force, defaults filled in, secrets redacted. Its ETag is for If-Match of a reload.',
        response: { 200: Type.Unknown() }
      }
    },
    (_request, reply) => reply.header('etag', tagOf(control.revision)).send(control.config())
  )
  api.post(
    '/plan',
    {
      schema: {
        tags: ['control'],
        operationId: 'plan',
        summary: 'What a reload would do. Changes nothing. With a configuration of its own it needs the scope admin.',
        body: configBody,
        response: { 200: Type.Unknown() }
      }
    },
    async ({ body: { config }, caller }, reply) => {
      // Extensions that it names are loaded.
      if (config !== undefined && !allows(caller, 'admin'))
        throw new HttpError(403, 'admin.forbidden', 'a plan of another configuration needs the scope admin')
      const plan = await control.plan(config)
      return reply.header('etag', tagOf(plan.revision)).send(plan)
    }
  )
  api.post(
    '/reload',
    {
      config: { scope: 'admin' },
      schema: {
        tags: ['control'],
        operationId: 'reload',
        summary:
          'Puts a configuration in place of the one in force; on any error that one stays. If-Match guards against another change.',
        headers: ifMatch,
        body: configBody,
        response: { 200: Type.Unknown() }
      }
    },
    async ({ body: { config }, headers }, reply) => {
      const { revision } = control
      checkMatch(headers['if-match'], revision)
      const options = headers['if-match'] === undefined ? {} : { revision }
      const report = await control.reload(config, options)
      return reply.header('etag', tagOf(report.revision)).send(report)
    }
  )
}

const addProcess = (api: Api, { runtime: { control } }: ApiContext): void => {
  api.post(
    '/drain',
    {
      config: { scope: 'admin' },
      schema: {
        tags: ['control'],
        operationId: 'drain',
        summary: 'Takes no more sessions and visitors, and answers when open streams are over or the time is.',
        body: Type.Object(
          {
            timeout: Type.Optional(
              Type.Integer({
                minimum: 0,
                maximum: 86_400_000,
                description: 'Milliseconds for open streams. Default: `drain` of the configuration.'
              })
            ),
            stop: Type.Boolean({
              default: false,
              description: 'Whether the process stops afterwards. Default: false.'
            }),
            alternatives: Type.Optional(
              Type.Array(
                Type.Object(
                  {
                    host: Type.String({ minLength: 1, maxLength: 255, description: 'Host name or address.' }),
                    port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'Port.' })
                  },
                  { additionalProperties: false }
                ),
                {
                  maxItems: 16,
                  description:
                    'Server: others for its clients, the preferred ones first. Given, even if empty, proxies stay published until their client has moved. Default: proxies are taken back at once.'
                }
              )
            )
          },
          { additionalProperties: false }
        ),
        response: { 200: Type.Object({ streams: Type.Integer({ description: 'Streams that were left.' }) }) }
      }
    },
    ({ body: { timeout, stop, alternatives } }) =>
      control.drain({
        stop,
        ...(timeout === undefined ? {} : { timeout }),
        ...(alternatives === undefined ? {} : { alternatives })
      })
  )
  api.post(
    '/upgrade',
    {
      config: { scope: 'admin' },
      schema: {
        tags: ['control'],
        operationId: 'upgrade',
        summary:
          'Starts a process with the code and configuration that are there now, and gives it the listening sockets. On any error this one goes on.',
        body: Type.Object(
          {
            timeout: Type.Optional(
              Type.Integer({
                minimum: 1000,
                maximum: 3_600_000,
                description: 'Milliseconds that the new process has to start. Default: 60000.'
              })
            )
          },
          { additionalProperties: false }
        ),
        response: {
          200: Type.Object({
            pid: Type.Integer({ description: 'The process that serves from now on.' }),
            sockets: Type.Integer({ description: 'Listening sockets that it has got.' }),
            rebound: Type.Array(Type.String(), {
              description: 'Addresses of proxies whose UDP port it binds anew.'
            }),
            members: Type.Optional(
              Type.Array(Type.Object({ member: Type.String(), pid: Type.Integer() }), {
                description:
                  'The new process of each member, where there are several. `pid` is that of their parent, which goes on.'
              })
            )
          })
        }
      }
    },
    async ({ body: { timeout } }) => {
      const report = await control.upgrade(timeout === undefined ? {} : { timeout })
      const { members, ...own } = report
      return { ...own, rebound: [...report.rebound], ...(members === undefined ? {} : { members: [...members] }) }
    }
  )
  api.put(
    '/log-level',
    {
      schema: {
        tags: ['control'],
        operationId: 'setLogLevel',
        summary: 'Sets the level of the log until the process ends.',
        body: Type.Object({ level: logLevel }, { additionalProperties: false }),
        response: { 200: Type.Object({ level: logLevel }) }
      }
    },
    ({ body: { level } }) => {
      control.setLogLevel(level)
      return { level }
    }
  )
}

/** Changes to what runs. */
export const addControl = (api: Api, context: ApiContext): void => {
  const { runtime } = context
  addConfiguration(api, context)
  addProcess(api, context)
  api.delete(
    '/sessions/:id',
    {
      schema: {
        tags: ['control'],
        operationId: 'closeSession',
        summary: 'Ends a session; its streams are reset. The client dials again, unless `final`.',
        params: idParams,
        querystring: Type.Object(
          { final: Type.Boolean({ default: false, description: 'Whether the client gives up. Default: false.' }) },
          { additionalProperties: false }
        ),
        response: { 204: Type.Null() }
      }
    },
    async (request, reply) => {
      const { params, query, caller } = request
      const { id } = params
      const handle = runtime.session(id)
      if (handle === undefined) return passOn(context, request, reply, { id })
      const detail = `ended by an administrator (${caller.name})`
      handle.close(new RystraError(query.final ? 'session.refused' : 'session.closing', { detail, side: runtime.side }))
      return reply.code(204).send(null)
    }
  )
  api.delete(
    '/streams/:id',
    {
      schema: {
        tags: ['control'],
        operationId: 'closeStream',
        summary: 'Resets a stream.',
        params: idParams,
        response: { 204: Type.Null() }
      }
    },
    async ({ params: { id }, caller }, reply) => {
      const handle = runtime.stream(id)
      if (handle === undefined) throw notFound('stream', id)
      handle.close(new RystraError('stream.reset', { detail: `reset by an administrator (${caller.name})` }))
      return reply.code(204).send(null)
    }
  )
}
