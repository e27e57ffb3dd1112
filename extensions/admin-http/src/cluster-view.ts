import { type ClusterInfo, type Static, Type } from '@rystra/plugin'

const text = (description: string) => Type.String({ description })

/** A session of another server of the cluster. */
export const RemoteSessionView = Type.Object(
  {
    id: text('Id of the session.'),
    client: text('`client.id`, as the client claims.'),
    identity: text('Authenticated identity.'),
    member: text('Name of the server that has it.'),
    since: Type.Integer({ minimum: 0, description: 'Milliseconds since the epoch.' })
  },
  { $id: 'RemoteSession' }
)
export type RemoteSessionView = Static<typeof RemoteSessionView>

/** The cluster of a server in `GET /v1/status`. */
export const ClusterView = Type.Object(
  {
    name: text('Name of this server in the cluster.'),
    cluster: text('Name of the cluster.'),
    state: Type.Union(
      (['joining', 'up', 'away', 'fenced', 'left'] as const).map((one) => Type.Literal(one)),
      { description: '`away`: the directory does not answer. `fenced`: for so long that others may have its names.' }
    ),
    members: Type.Unsafe<ClusterInfo['members']>(
      Type.Array(
        Type.Object({
          name: text('Name of the server.'),
          host: text('Host at which the other servers reach it.'),
          port: Type.Integer({ description: 'Port at which the other servers reach it.' }),
          self: Type.Boolean({ description: 'Whether it is the server that answers.' })
        }),
        { description: 'Servers of the cluster, by name.' }
      )
    ),
    forwarded: Type.Integer({ minimum: 0, description: 'Open streams of visitors of this server that others serve.' })
  },
  { description: 'The cluster of a server; absent at a client, and at a server alone.' }
)
