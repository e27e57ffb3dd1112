import { Type } from '@rystra/model/schema'
import type { ExtensionOptions } from '@rystra/plugin'
import { acceptSchema } from './accept.js'
import { clusterSchema } from './cluster.js'
import { durationSchema } from './duration.js'
import { extensionSchema } from './entry.js'
import { portsSchema } from './ports.js'
import { proxySchema, forwardSchema } from './proxy-entry.js'
import { type Resolved, type Written, defaulted, open, resolved } from './schema.js'
import { connectSchema } from './connect.js'
import { address, host, proxyProtocolFrom, word } from './words.js'

const port = { minimum: 0, maximum: 65535 }

export { connectSchema } from './connect.js'
export { proxySchema, forwardSchema } from './proxy-entry.js'

/** Schema of {@link LogConfig}. */
export const logSchema = Type.Object({
  level: defaulted(
    Type.Union((['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const).map((level) => Type.Literal(level))),
    'info',
    'Lowest level that is logged. `info` has the events of sessions and proxies, and none of single streams.'
  ),
  pretty: Type.Optional(
    Type.Boolean({
      description: 'Whether lines are coloured text instead of JSON. Default: true if stderr is a terminal.'
    })
  )
})

/** Schema of {@link ListenEntry}. */
export const listenSchema = open(
  Type.Object({
    transport: defaulted(word('Name of a registered transport.'), 'tcp'),
    host: defaulted(host(), '0.0.0.0', 'Address to bind. The default is all IPv4 addresses of the machine.'),
    port: defaulted(
      Type.Integer(port),
      7000,
      'Port to bind; 0 for any free port. It carries control messages and data.'
    ),
    address: address(
      'Address to bind on a transport without hosts and ports, such as a path. Default: `host` and `port`.'
    ),
    proxyProtocolFrom
  })
)

/** Schema of {@link ServerConfig}. */
export const serverSchema = Type.Object({
  listen: defaulted(
    Type.Array(listenSchema, { minItems: 1, maxItems: 64 }),
    [{}],
    'Addresses on which clients connect. A transport adds its own fields to an entry.'
  ),
  publish: defaulted(
    Type.Object({
      host: defaulted(host(), '0.0.0.0', 'Address to bind for the ports of proxies.'),
      ports: defaulted(
        portsSchema(),
        ['20000-29999'],
        'Ports that proxies may have; free ports are taken from them as well. Below the range that systems use for ' +
          'outgoing connections (from 32768 on Linux), which could hold such a port. An empty list allows none.'
      ),
      proxyProtocolFrom,
      on: Type.Optional(
        Type.Union(
          [
            Type.Literal('all'),
            Type.Literal('any'),
            Type.Array(word('Name of a server.'), { minItems: 1, maxItems: 1000 })
          ],
          {
            description:
              'In a cluster, the servers that bind the ports of proxies: `all`, `any` for the one that has the client, or a list of names. Default: all.'
          }
        )
      )
    }),
    {},
    'Addresses and ports on which visitors connect.'
  ),
  heartbeat: defaulted(
    Type.Object({
      interval: defaulted(
        durationSchema(100),
        15_000,
        'Time between two heartbeats, well below the minute after which the strictest common proxies drop an idle connection.'
      ),
      timeout: defaulted(
        durationSchema(200),
        45_000,
        'Time without a message after which a session is lost: three intervals, so that one lost packet does not end it.'
      )
    }),
    {},
    'Detection of dead sessions. The server sends these values to its clients.'
  ),
  handshakeTimeout: defaulted(
    durationSchema(100),
    10_000,
    'Time that a client has for the whole handshake; time in which it waits for a busy server is not counted. Enough for a slow mobile link.'
  ),
  takeoverTimeout: defaulted(
    durationSchema(100),
    2000,
    'Time in which the session that holds a name or port must answer when the same identity requests it again; otherwise it loses it.'
  ),
  drain: defaulted(
    durationSchema(0),
    10_000,
    'Time that open streams get to finish at a stop; 0 closes them at once. Below the 30 s and 90 s after which Kubernetes and systemd kill a process; Docker kills after 10 s and needs a longer stop timeout.'
  ),
  cluster: Type.Optional({
    ...clusterSchema,
    description: 'Makes this server one of several that act as one. Default: it stands alone.'
  } as typeof clusterSchema),
  limits: defaulted(
    Type.Object({
      sessions: defaulted(Type.Integer({ minimum: 1, maximum: 1_000_000 }), 10_000, 'Maximum number of sessions.'),
      handshakes: defaulted(
        Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        1024,
        'Maximum number of peers that are not authenticated yet and have to answer: one more evicts the one that has been silent for the longest. As many more may wait for their turn.'
      ),
      proxiesPerSession: defaulted(
        Type.Integer({ minimum: 1, maximum: 65_535 }),
        256,
        'Maximum number of proxies of one client; each port of a range counts.'
      ),
      streamsPerSession: defaulted(
        Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        16_384,
        'Maximum number of open streams of one client. The default has room for the 10,000 visitors that one service is tested with.'
      ),
      channelsPerSession: defaulted(
        Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        4096,
        'Maximum number of open channels of one client, such as streams of RPC. They do not count as streams of visitors.'
      )
    }),
    {},
    'Limits of the server.'
  )
})

const forever = resolved<number | 'forever', number>(
  "a whole number, or 'forever'",
  { anyOf: [{ type: 'integer', minimum: 0 }, { const: 'forever' }] },
  (value) => {
    if (value === 'forever' || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY
    if (Number.isInteger(value) && (value as number) >= 0) return value as number
    throw new RangeError("expected a whole number, or 'forever'")
  }
)

/** Schema of {@link ClientConfig}. */
export const clientSchema = Type.Object({
  id: Type.Optional(
    word(
      'Id of this client at the server; a session with the same id replaces the previous one. ' +
        'Default: the host name and a hash of the folder of the configuration, the same at every start.'
    )
  ),
  connect: {
    ...connectSchema,
    description: 'Address and transport of the server. A transport adds its own fields.'
  } as typeof connectSchema,
  proxies: defaulted(
    Type.Array(proxySchema, { maxItems: 65_535 }),
    [],
    'Proxies to publish. A kind adds its own fields to an entry.'
  ),
  forwards: defaulted(
    Type.Array(forwardSchema, { maxItems: 65_535 }),
    [],
    'Local addresses that lead to private proxies of other clients. A kind adds its own fields to an entry.'
  ),
  accept: defaulted(
    acceptSchema,
    {},
    'What proxies an administrator of the server may add to this client. Default: none.'
  ),
  reconnect: defaulted(
    Type.Object({
      min: defaulted(
        durationSchema(1),
        250,
        'First delay, before jitter. Short, so that a restart of the server is bridged.'
      ),
      max: defaulted(
        durationSchema(1),
        30_000,
        'Longest delay, before jitter. After the loss of a session that served it is 1 s, and later a twentieth of the outage.'
      ),
      attempts: defaulted(forever, 'forever', 'Number of failed attempts in a row after which the client gives up.')
    }),
    {},
    'Delays between attempts to dial the server again: exponential back-off with full jitter.'
  ),
  redundancy: defaulted(
    Type.Integer({ minimum: 1, maximum: 8 }),
    1,
    'Number of servers with which the client has a session at the same time. Its proxies are published on each, so that the loss of ' +
      'one server refuses no visitor of the others.'
  ),
  drain: defaulted(durationSchema(0), 10_000, 'Time that open streams get to finish at a stop; 0 closes them at once.')
})

/** Schema of {@link RystraConfig}. */
export const configSchema = Type.Object({
  $schema: Type.Optional(
    Type.String({ description: 'Path or URL of the JSON Schema for editors; `rystra check --schema` writes it.' })
  ),
  extensions: defaulted(
    Type.Array(extensionSchema, { maxItems: 1000 }),
    [],
    'Extensions to load, in this order; within one stage, hooks run in this order. The `rystra` command adds the extensions of its preset.'
  ),
  log: defaulted(logSchema, {}, 'Settings of the log, which goes to stderr.'),
  server: Type.Optional({
    ...serverSchema,
    description: 'Settings of the server, for `rystra serve`.'
  } as typeof serverSchema),
  client: Type.Optional({
    ...clientSchema,
    description: 'Settings of the client, for `rystra connect`.'
  } as typeof clientSchema)
})

/** A configuration as written. One file may hold both halves. */
export type RystraConfig = Written<typeof configSchema>
/** An entry of `server.listen`, as written. */
export type ListenEntry = Written<typeof listenSchema>
/** `client.connect`, as written. */
export type ConnectConfig = Written<typeof connectSchema>
/** An entry of `client.proxies`, as written. */
export type ProxyEntry = Written<typeof proxySchema>

/** An entry of `client.forwards`, as written. */
export type ForwardEntry = Written<typeof forwardSchema>

/** A configuration that was validated: every default is filled in. It is a {@link RystraConfig} too. */
export type ResolvedConfig = Omit<Resolved<typeof configSchema>, 'client'> & { readonly client?: ResolvedClient }
/** `server`, every default filled in. */
export type ResolvedServer = Resolved<typeof serverSchema>
/** `server.cluster`, every default filled in. */
export type ResolvedCluster = Resolved<typeof clusterSchema>
/** `client`, every default filled in. */
export type ResolvedClient = Omit<Resolved<typeof clientSchema>, 'id'> & { readonly id: string }

/** `never` for an option that the extension does not have. */
type KnownOptions<Given, Known> = { [Key in keyof Given]: Key extends keyof Known ? Known[Key] : never }

type CheckedEntry<Entry> = Entry extends {
  readonly use: infer Use extends keyof ExtensionOptions
  readonly options: infer Given
}
  ? { readonly use: Use; readonly options: KnownOptions<Given, ExtensionOptions[Use]> }
  : unknown

/** What a configuration must fit besides, where the options of extensions are known by name. */
export type CheckedExtensions<Config> = Config extends { readonly extensions: readonly (infer Entry)[] }
  ? { readonly extensions: readonly CheckedEntry<Entry>[] }
  : unknown

/**
 * Returns what it is given, typed: for configurations in TypeScript. Options of `use: 'name'` are checked where the
 * extension is known, as those of the preset are.
 */
export const defineConfig = <
  const Config extends RystraConfig | ((env: NodeJS.ProcessEnv) => RystraConfig | Promise<RystraConfig>)
>(
  config: Config & CheckedExtensions<Config>
): Config => config
