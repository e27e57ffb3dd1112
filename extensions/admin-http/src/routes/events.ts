import { Type } from '@rystra/plugin'
import type { Api, ApiContext } from '../context.js'

/** What happens, as server-sent events. */
export const addEvents = (api: Api, { hub }: ApiContext): void => {
  api.get(
    '/events',
    {
      schema: {
        tags: ['state'],
        operationId: 'events',
        summary:
          'Events as they happen, as text/event-stream. `Last-Event-ID` goes on after that event; `reset` says that a new snapshot is needed.',
        querystring: Type.Object(
          {
            streams: Type.Boolean({ default: false, description: 'Opened and closed streams, too. Default: false.' }),
            samples: Type.Boolean({
              default: false,
              description: 'Totals each second (`sample`), too. Default: false.'
            })
          },
          { additionalProperties: false }
        ),
        headers: Type.Object({ 'last-event-id': Type.Optional(Type.String({ maxLength: 256 })) }),
        produces: ['text/event-stream']
      }
    },
    (request, reply) => {
      hub.checkRoom()
      const { query, headers, caller } = request
      const response = reply.raw
      reply.hijack()
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) response.setHeader(name, value)
      // Some reverse proxies buffer responses.
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
      response.flushHeaders()
      hub.add(response, {
        caller: caller.name,
        after: headers['last-event-id'],
        streams: query.streams,
        samples: query.samples
      })
    }
  )
}
