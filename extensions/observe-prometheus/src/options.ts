import { hostText } from '@rystra/address'
import { type Static, Type } from '@rystra/plugin'

export const prometheusOptions = Type.Object({
  listen: Type.Optional(
    Type.Object(
      {
        host: Type.String({
          ...hostText,
          default: '127.0.0.1',
          description: 'Address to bind. Default: 127.0.0.1.'
        }),
        port: Type.Integer({
          default: 9464,
          minimum: 0,
          maximum: 65535,
          description: 'Port to bind; 0 for any free port. Default: 9464.'
        }),
        path: Type.String({
          default: '/metrics',
          pattern: '^/[\\x21-\\x7e]*$',
          description: 'Request path. Default: /metrics.'
        }),
        token: Type.Optional(
          Type.String({
            minLength: 16,
            secret: true,
            description: 'Bearer token that scrapers must present. Default: no token.'
          })
        ),
        hosts: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
          default: [],
          maxItems: 64,
          description: 'Names accepted in the Host header, beside addresses and localhost. Default: no further name.'
        })
      },
      {
        additionalProperties: false,
        description: 'HTTP listener for scrapers. Default: no listener; the admin API serves the metrics.'
      }
    )
  ),
  maxSeries: Type.Integer({
    default: 2000,
    minimum: 1,
    maximum: 100_000,
    description: 'Label sets of one metric; further ones are summed under overflow="true". Default: 2000.'
  }),
  proxies: Type.Boolean({ default: true, description: 'Whether there are series of each proxy. Default: true.' }),
  clients: Type.Boolean({
    default: true,
    description:
      'Whether there are series of each client, and labels `client` and `identity` on those of proxies. Default: true.'
  }),
  process: Type.Boolean({
    default: true,
    description: 'Whether there are metrics of the process: memory, CPU, event loop, file descriptors. Default: true.'
  })
})

export type PrometheusOptions = Static<typeof prometheusOptions>
