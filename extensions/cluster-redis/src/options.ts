import { type Static, Type } from '@rystra/plugin'

const file = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

export const RedisOptions = Type.Object({
  url: Type.Union(
    [Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 100 })],
    {
      default: 'redis://127.0.0.1:6379',
      description:
        'Where Redis or Valkey is: `redis://` or, with TLS, `rediss://`. Several for a Redis Cluster or for Sentinel. Default: redis://127.0.0.1:6379.'
    }
  ),
  mode: Type.Union([Type.Literal('single'), Type.Literal('cluster'), Type.Literal('sentinel')], {
    default: 'single',
    description: 'Whether `url` is one server, nodes of a Redis Cluster, or sentinels. Default: single.'
  }),
  master: Type.String({
    default: 'mymaster',
    minLength: 1,
    description: 'Name of the master that the sentinels watch. Default: mymaster.'
  }),
  username: Type.Optional(
    Type.String({ minLength: 1, description: 'User of the ACL. Default: that of the URL, or none.' })
  ),
  password: Type.Optional(
    Type.String({ minLength: 1, secret: true, description: 'Its password. Default: that of the URL, or none.' })
  ),
  ca: file('PEM file with the authorities that sign the certificate of Redis. Default: those of Node.'),
  cert: file('PEM file with the certificate that Redis asks for. Default: none.'),
  key: Type.Optional(
    Type.String({ minLength: 1, secret: false, description: 'PEM file with the private key of `cert`. Default: none.' })
  ),
  prefix: Type.String({
    default: 'rystra',
    minLength: 1,
    maxLength: 64,
    pattern: '^[A-Za-z0-9._-]+$',
    title: 'letters, digits, . _ and -',
    description: 'Beginning of all keys. The name of the cluster follows. Default: rystra.'
  })
})
export type RedisOptions = Static<typeof RedisOptions>
