import { type Static, Type } from '@rystra/plugin'

/** What can be recorded. */
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
      description: 'Where the records go; relative to the folder of the configuration. Folders are made.'
    }),
    maxSize: Type.String({
      default: '100MB',
      pattern: sizePattern,
      description: 'A file that is larger is put aside: a number with kB, MB or GB, units of 1000.'
    }),
    every: Type.Union([Type.Literal('day'), Type.Literal('hour'), Type.Literal('never')], {
      default: 'day',
      description: 'When a file is put aside whatever its size, by UTC.'
    }),
    keep: Type.Integer({
      default: 14,
      minimum: 1,
      maximum: 10_000,
      description: 'Files that were put aside and are kept; the oldest go.'
    }),
    compress: Type.Boolean({ default: true, description: 'Whether files that are put aside are compressed by gzip.' })
  },
  { additionalProperties: false }
)

export const auditOptions = Type.Object({
  to: Type.Union([Type.Literal('stdout'), fileSchema], {
    default: 'stdout',
    description: '`stdout`, or `{ file, maxSize, every, keep, compress }`.'
  }),
  records: Type.Array(Type.Union(recordKinds.map((kind) => Type.Literal(kind))), {
    default: ['session', 'registration', 'stream', 'refusal'],
    uniqueItems: true,
    minItems: 1,
    description: `What is recorded: ${recordKinds.join(', ')}.`
  }),
  fields: Type.Array(Type.String({ minLength: 1 }), {
    default: ['port', 'host', 'subdomain', 'path', 'group', 'bandwidth', 'maxConnections', 'idleTimeout', 'expiresIn'],
    description: 'Fields of a registered proxy that its record says; no others are. Names of secrets are refused.'
  }),
  queue: Type.String({
    default: '8MB',
    pattern: sizePattern,
    description: 'Records that wait for the disk, at most; beyond this they are dropped and counted.'
  })
})

export type AuditOptions = Static<typeof auditOptions>
export type FileOptions = Static<typeof fileSchema>

/** The defaults also where a union kept them from being filled in. */
export const fileOptions = (written: Partial<FileOptions> & Pick<FileOptions, 'file'>): FileOptions => ({
  maxSize: '100MB',
  every: 'day',
  keep: 14,
  compress: true,
  ...written
})
