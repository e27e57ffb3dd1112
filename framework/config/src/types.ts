import { Type } from '@sinclair/typebox'
import { durationSchema } from './duration.js'
import { extensionSchema } from './entry.js'
import { portsSchema } from './ports.js'
import { proxySchema, forwardSchema } from './proxy-entry.js'
import { type Resolved, type Written, defaulted, open, resolved } from './schema.js'
import { text, word } from './words.js'

const host = (description = 'A host name or an address.') =>
  text('a host name or an address', { minLength: 1, maxLength: 255, pattern: '^[^\\s/]+$', description })
const port = { minimum: 0, maximum: 65535 }

export { proxySchema, forwardSchema } from './proxy-entry.js'

/** Schema of {@link LogConfig}. */
export const logSchema = Type.Object({
  level: defaulted(
    Type.Union((['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const).map((level) => Type.Literal(level))),
    'info',
    'The least important level that is logged. `info` says what happens to sessions and proxies, and nothing per stream.'
  ),
  pretty: Type.Optional(
    Type.Boolean({ description: 'Coloured lines for people instead of JSON. Default: when stderr is a terminal.' })
  )
})

/** Schema of {@link ListenEntry}. */
export const listenSchema = open(
  Type.Object({
    transport: defaulted(word('Name of a registered transport.'), 'tcp'),
    host: defaulted(
      host(),
      '0.0.0.0',
      'Address to bind. The default is all IPv4 addresses: clients come from elsewhere.'
    ),
    port: defaulted(
      Type.Integer(port),
      7000,
      'Port to bind; 0 for any free one. Control and data arrive on this one port.'
    )
  })
)

/** Schema of {@link ServerConfig}. */
export const serverSchema = Type.Object({
  listen: defaulted(
    Type.Array(listenSchema, { minItems: 1, maxItems: 64 }),
    [{}],
    'Where clients connect. A transport adds its own fields to an entry.'
  ),
  publish: defaulted(
    Type.Object({
      host: defaulted(host(), '0.0.0.0', 'Address on which proxies are published.'),
      ports: defaulted(
        portsSchema(),
        ['20000-29999'],
        'Ports that clients may ask for, and from which free ones are taken. Below the range that systems use for ' +
          'outgoing connections (32768 up on Linux), so that a port is not taken by chance. An empty list allows none.'
      )
    }),
    {},
    'Where visitors connect.'
  ),
  heartbeat: defaulted(
    Type.Object({
      interval: defaulted(
        durationSchema(100),
        15_000,
        'Between two heartbeats. Well below the minute after which the strictest common proxies drop an idle connection.'
      ),
      timeout: defaulted(
        durationSchema(200),
        45_000,
        'Silence after which a session is lost: three intervals, so that one lost packet ends nothing.'
      )
    }),
    {},
    'How a dead peer is noticed. Clients are told.'
  ),
  handshakeTimeout: defaulted(
    durationSchema(100),
    10_000,
    'For the whole handshake, so that silent peers go away. Enough for a slow mobile link.'
  ),
  takeoverTimeout: defaulted(
    durationSchema(100),
    2000,
    'How long the holder of a name or port has to answer when the same identity asks for it again, before it loses it.'
  ),
  drain: defaulted(
    durationSchema(0),
    10_000,
    'How long open streams may go on at a stop; 0 closes at once. Below the 30 s and 90 s after which Kubernetes and systemd kill; give Docker, which kills after 10 s, a longer stop timeout.'
  ),
  limits: defaulted(
    Type.Object({
      sessions: defaulted(
        Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        10_000,
        'Sessions at once. Bounds what clients can hold together.'
      ),
      handshakes: defaulted(
        Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        1024,
        'Peers at once that are not authenticated yet. Bounds what unauthenticated peers can hold.'
      ),
      proxiesPerSession: defaulted(
        Type.Integer({ minimum: 1, maximum: 65_535 }),
        256,
        'Proxies of one client. Room for port ranges.'
      ),
      streamsPerSession: defaulted(
        Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        16_384,
        'Streams of one client at once. More than the 10,000 that one busy service is tested with.'
      ),
      channelsPerSession: defaulted(
        Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        4096,
        'Channels of one client at once, such as the streams of RPC. They are not counted as streams of visitors.'
      )
    }),
    {},
    'What one server holds at most.'
  )
})

/** Schema of {@link ConnectConfig}. */
export const connectSchema = open(
  Type.Object({
    transport: defaulted(word('Name of a registered transport.'), 'tcp'),
    host: Type.Optional(host('The server: a name or an address. Default: the one that `discover` finds.')),
    discover: Type.Optional(
      text('1 to 63 bytes', {
        minLength: 1,
        maxLength: 63,
        description:
          'Name under which servers announce themselves on the local network, in the place of `host` and `port`. Needs a ' +
          'discovery, such as @rystra/discovery-mdns. Default: none is looked for.'
      })
    ),
    port: defaulted(Type.Integer({ minimum: 1, maximum: 65535 }), 7000, "The server's port."),
    muxer: Type.Optional(
      word('Name of a registered muxer. Default: yamux if it is registered, otherwise the first that is.')
    )
  })
)

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
      'Names this client at the server; a client that comes back under the same id replaces its predecessor. ' +
        'Default: the host name and a hash of the folder of the configuration, the same at each start.'
    )
  ),
  connect: {
    ...connectSchema,
    description: 'How the server is reached. A transport adds its own fields.'
  } as typeof connectSchema,
  proxies: defaulted(
    Type.Array(proxySchema, { maxItems: 65_535 }),
    [],
    'What is published. A kind adds its own fields to an entry.'
  ),
  forwards: defaulted(
    Type.Array(forwardSchema, { maxItems: 65_535 }),
    [],
    'Local addresses that lead to what other clients of the server publish. A kind adds its own fields to an entry.'
  ),
  reconnect: defaulted(
    Type.Object({
      min: defaulted(
        durationSchema(1),
        250,
        'The first delay, before jitter: a restart of the server is bridged at once.'
      ),
      max: defaulted(
        durationSchema(1),
        30_000,
        'The longest delay, before jitter: half a minute at most after the server is back.'
      ),
      attempts: defaulted(forever, 'forever', 'Failed attempts in a row after which the client gives up.')
    }),
    {},
    'How a lost session is dialed again: exponential back-off with full jitter.'
  ),
  drain: defaulted(durationSchema(0), 10_000, 'How long open streams may go on at a stop; 0 closes at once.')
})

/** Schema of {@link RystraConfig}. */
export const configSchema = Type.Object({
  $schema: Type.Optional(
    Type.String({ description: 'Where editors find the JSON Schema; `rystra check --schema` writes it.' })
  ),
  extensions: defaulted(
    Type.Array(extensionSchema, { maxItems: 1000 }),
    [],
    'What is loaded, in this order; within one stage, hooks run in this order. The `rystra` command adds those of its preset.'
  ),
  log: defaulted(logSchema, {}, 'Logs go to stderr.'),
  server: Type.Optional({ ...serverSchema, description: 'Needed to serve.' } as typeof serverSchema),
  client: Type.Optional({ ...clientSchema, description: 'Needed to connect.' } as typeof clientSchema)
})

/** A configuration as written. One file may hold both halves. */
export type RystraConfig = Written<typeof configSchema>
/** `log`, as written. */
export type LogConfig = Written<typeof logSchema>
/** `server`, as written. */
export type ServerConfig = Written<typeof serverSchema>
/** `client`, as written. */
export type ClientConfig = Written<typeof clientSchema>
/** An entry of `server.listen`, as written. */
export type ListenEntry = Written<typeof listenSchema>
/** `client.connect`, as written. */
export type ConnectConfig = Written<typeof connectSchema>
/** An entry of `client.proxies`, as written. */
export type ProxyEntry = Written<typeof proxySchema>

/** An entry of `client.forwards`, as written. */
export type ForwardEntry = Written<typeof forwardSchema>

/** An entry of `server.listen`, every default filled in. */
export type ResolvedListen = Resolved<typeof listenSchema>
/** `client.connect`, every default filled in; `muxer` is, once extensions are known. */
export type ResolvedConnect = Resolved<typeof connectSchema>
/** An entry of `client.proxies`, durations in milliseconds. */
export type ResolvedProxy = Resolved<typeof proxySchema>
/** A configuration that was validated: every default is filled in. It is a {@link RystraConfig} too. */
export type ResolvedConfig = Omit<Resolved<typeof configSchema>, 'client'> & { readonly client?: ResolvedClient }
/** `server`, every default filled in. */
export type ResolvedServer = Resolved<typeof serverSchema>
/** `client`, every default filled in. */
export type ResolvedClient = Omit<Resolved<typeof clientSchema>, 'id'> & { readonly id: string }

/** Returns what it is given, typed: for configurations in TypeScript. */
export const defineConfig = <
  Config extends RystraConfig | ((env: NodeJS.ProcessEnv) => RystraConfig | Promise<RystraConfig>)
>(
  config: Config
): Config => config
