import { endpointProblem, isHost, parseEndpoint } from '@rystra/address'
import { isPlain } from './plain.js'
import { resolved } from './schema.js'

/** An entry of `client.connect.servers`, as written: `host`, `host:port`, or an object with fields of the transport. */
export type ServerEntry = string | ResolvedServerEntry

/** An entry of `client.connect.servers`. What it does not say is as in `client.connect`. */
export interface ResolvedServerEntry {
  readonly host: string
  readonly port?: number
  readonly [field: string]: unknown
}

/** Port 0 stands for that of `client.connect`. */
const forms = { defaultPort: 0 } as const
/** Fields that are of the whole list. */
const common = ['transport', 'muxer', 'servers', 'srv', 'discover']

const fail = (expected: string): never => {
  throw new RangeError(`expected ${expected}`)
}

const ofText = (text: string): ResolvedServerEntry => {
  const problem = endpointProblem(text, forms)
  if (problem !== undefined) fail(problem)
  const { host, port } = parseEndpoint(text, forms, { name: 'servers', code: 'config.invalid' })
  return port === 0 ? { host } : { host, port }
}

const entry = (value: unknown): ResolvedServerEntry => {
  if (typeof value === 'string') return ofText(value)
  if (!isPlain(value)) return fail(expected)
  const { host, port } = value
  if (typeof host !== 'string' || !isHost(host)) return fail('a host name or an address as `host`')
  if (port !== undefined && !(Number.isInteger(port) && (port as number) >= 1 && (port as number) <= 65_535))
    return fail('a port from 1 to 65535 as `port`')
  const wrong = common.find((field) => value[field] !== undefined)
  if (wrong !== undefined) return fail(`no \`${wrong}\`, which client.connect has for all servers`)
  return value as unknown as ResolvedServerEntry
}

const expected = 'host[:port], or { host, port, … } with fields of the transport'
const text = { type: 'string', minLength: 1, maxLength: 300, pattern: '^[^\\s/]+$' }

/** Schema of {@link ServerEntry}. */
export const serverEntrySchema = resolved<ServerEntry, ResolvedServerEntry>(
  expected,
  {
    anyOf: [
      { ...text, description: 'Host and port: `b.example.net:7000`. Default of the port: that of `client.connect`.' },
      {
        type: 'object',
        properties: {
          host: { ...text, description: 'Host name or address.' },
          port: { type: 'integer', minimum: 1, maximum: 65_535, description: 'Default: the port of `client.connect`.' }
        },
        required: ['host'],
        additionalProperties: true
      }
    ]
  },
  entry
)
