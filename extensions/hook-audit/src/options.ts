import { type Static, Type } from '@rystra/plugin'

/** Kinds of records. */
const recordKinds = ['session', 'registration', 'stream', 'refusal', 'stream-open', 'request'] as const
export type RecordKind = (typeof recordKinds)[number]

const sizePattern = '^[1-9][0-9]{0,8}(kB|MB|GB)$'
const units: Readonly<Record<string, number>> = { kB: 1e3, MB: 1e6, GB: 1e9 }

/** Bytes of `100MB`. */
export const bytesOf = (size: string): number => Number(size.slice(0, -2)) * (units[size.slice(-2)] ?? Number.NaN)

const fileSchema = Type.Object(
  {
    file: Type.String({
      minLength: 1,
      description: 'File of the records, relative to the configuration. Directories are created.'
    }),
    maxSize: Type.String({
      default: '100MB',
      title: "a size such as '500kB', '8MB', '1GB'",
      pattern: sizePattern,
      description: 'Size at which the file is rotated: a number with kB, MB or GB, units of 1000. Default: 100MB.'
    }),
    every: Type.Union([Type.Literal('day'), Type.Literal('hour'), Type.Literal('never')], {
      default: 'day',
      description: 'Time-based rotation in UTC. Default: day.'
    }),
    keep: Type.Integer({
      default: 14,
      minimum: 1,
      maximum: 10_000,
      description: 'Number of rotated files to keep. Default: 14.'
    }),
    compress: Type.Boolean({
      default: true,
      description: 'Whether rotated files are compressed with gzip. Default: true.'
    })
  },
  { additionalProperties: false }
)

export const auditOptions = Type.Object({
  to: Type.Union([Type.Literal('stdout'), fileSchema], {
    default: 'stdout',
    description: 'Destination: `stdout`, or `{ file, maxSize, every, keep, compress }`. Default: stdout.'
  }),
  records: Type.Array(Type.Union(recordKinds.map((kind) => Type.Literal(kind))), {
    default: ['session', 'registration', 'stream', 'refusal'],
    uniqueItems: true,
    minItems: 1,
    description: `Kinds of records: ${recordKinds.join(', ')}. Default: session, registration, stream, refusal.`
  }),
  fields: Type.Array(Type.String({ minLength: 1 }), {
    default: ['port', 'host', 'subdomain', 'path', 'group', 'bandwidth', 'maxConnections', 'idleTimeout', 'expiresIn'],
    description:
      'Fields of a registered proxy to record. Names of secrets are refused. Default: port, host, subdomain, path, group, bandwidth, maxConnections, idleTimeout, expiresIn.'
  }),
  queue: Type.String({
    default: '8MB',
    title: "a size such as '500kB', '8MB', '1GB'",
    pattern: sizePattern,
    description: 'Maximum size of records that wait for the disk; further ones are dropped and counted. Default: 8MB.'
  })
})

export type AuditOptions = Static<typeof auditOptions>
export type FileOptions = Static<typeof fileSchema>

/** Applies the defaults, which a union does not. */
export const fileOptions = (written: Partial<FileOptions> & Pick<FileOptions, 'file'>): FileOptions => ({
  maxSize: '100MB',
  every: 'day',
  keep: 14,
  compress: true,
  ...written
})
