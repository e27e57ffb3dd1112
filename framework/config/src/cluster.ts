import { Type } from '@rystra/model/schema'
import { durationSchema } from './duration.js'
import { defaulted } from './schema.js'
import { host, text, word } from './words.js'

const file = (description: string) => Type.String({ minLength: 1, description })

/** Name of a member: it becomes a label of the name in its certificate. */
const MEMBER = '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'

/** Schema of {@link ClusterConfig}. */
export const clusterSchema = Type.Object({
  name: text('1 to 63 lower-case letters, digits and -', {
    pattern: MEMBER,
    description: 'Name of this server, unique in the cluster. Its certificate must be for it.'
  }),
  cluster: defaulted(
    word('Name of the cluster: clusters with different names may share an engine.'),
    'rystra',
    'Name of the cluster: clusters with different names may share an engine.'
  ),
  directory: word('Name of a registered directory, such as `redis` of @rystra/cluster-redis.'),
  transport: defaulted(
    word('Name of a registered transport.'),
    'tls',
    'Transport between servers; it must verify certificates of both ends.'
  ),
  host: defaulted(host('Address to bind.'), '127.0.0.1', 'Address on which the other servers connect.'),
  port: defaulted(
    Type.Integer({ minimum: 0, maximum: 65_535 }),
    7100,
    'Port on which the other servers connect; 0 for any free port.'
  ),
  advertise: Type.Optional(host('Host that the other servers dial, where it differs from `host`. Default: `host`.')),
  public: Type.Optional(
    text('`host:port`, with brackets around an IPv6 address', {
      minLength: 3,
      maxLength: 262,
      pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[^\\s/:\\[\\]]+):[1-9]\\d{0,4}$',
      description:
        'Address at which clients reach this server, `host:port`. Clients of another server that drains are told to come here. Default: none.'
    })
  ),
  ca: file('PEM file with the authority of the cluster, which must sign nothing else. `rystra cert:cluster` makes it.'),
  cert: file('PEM file with the certificate of this server, made by `rystra cert:cluster`.'),
  key: file('PEM file with the private key of `cert`.'),
  lease: defaulted(
    durationSchema(300),
    3000,
    'Time without a sign of life after which the others take this server for dead. It is renewed every third of it.'
  ),
  grace: defaulted(
    durationSchema(0),
    60_000,
    'Time for which names last known are served while the directory does not answer; for so long only their owner ' +
      'gets the names of a server that is gone.'
  )
})
