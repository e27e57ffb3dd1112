import type { SwaggerOptions } from '@fastify/swagger'

/** What the OpenAPI document says of the API as a whole. */
export const openApiInfo = (version: string): SwaggerOptions => ({
  openapi: {
    openapi: '3.1.0',
    info: {
      title: 'Rystra admin API',
      version,
      description:
        'State and control of one end, server or client. Errors are problem documents (RFC 9457) with `code` and `hint`. Lists are paged: `next` of one page is `cursor` of the following.'
    },
    servers: [{ url: '/' }],
    components: {
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of scope read, operate or admin. Not needed on the unix socket.'
        }
      }
    },
    security: [{ token: [] }],
    tags: [
      { name: 'state', description: 'What runs.' },
      { name: 'control', description: 'Changes to what runs.' },
      { name: 'extensions', description: 'Routes of extensions.' }
    ]
  },
  hideUntagged: true,
  refResolver: {
    buildLocalReference: ({ $id }, _baseUri, _fragment, index) => (typeof $id === 'string' ? $id : `schema-${index}`)
  }
})
