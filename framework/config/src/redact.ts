import { isExtension, isPlain, redactBy } from '@rystra/plugin'
import type { TSchema } from '@rystra/model/schema'
import type { Registered } from './registered.js'

/** Where a configuration has secrets, as the extensions say it. */
export interface RedactionSchemas {
  /** Schemas of options by `name` or `use` of the entry. Entries with the extension itself need none. @default by names of options */
  readonly extensions?: ReadonlyMap<string, TSchema>
  /** For the fields of transports and kinds of proxies. @default by names of fields */
  readonly registries?: Registered
}

const listOf = (value: unknown, each: (item: unknown) => unknown): unknown =>
  Array.isArray(value) ? value.map(each) : redactBy(undefined, value)

/** The schema of an entry, by the field that names a thing of a registry. */
const registered = <Thing>(
  entry: unknown,
  field: string,
  registry: { has(name: string): boolean; get(name: string): Thing } | undefined,
  schemaOf: (thing: Thing) => TSchema | undefined
): unknown => {
  const name = isPlain(entry) ? entry[field] : undefined
  const known = typeof name === 'string' && registry?.has(name) === true ? schemaOf(registry.get(name)) : undefined
  return redactBy(known, entry)
}

const redactEntry = (entry: unknown, schemas: ReadonlyMap<string, TSchema> | undefined): unknown => {
  if (isExtension(entry)) return entry.definition.name
  if (!isPlain(entry)) return redactBy(undefined, entry)
  const { use, extension, name, options, ...rest } = entry
  const made = [use, extension].find(isExtension)
  const known = [name, use].map((key) => (typeof key === 'string' ? schemas?.get(key) : undefined)).find(Boolean)
  return {
    use: made === undefined ? redactBy(undefined, use) : made.definition.name,
    ...(name === undefined ? {} : { name: redactBy(undefined, name) }),
    ...(options === undefined ? {} : { options: redactBy(made?.definition.options ?? known, options) }),
    ...(redactBy(undefined, rest) as object)
  }
}

const redactServer = (server: unknown, registries: Registered | undefined): unknown => {
  if (!isPlain(server)) return redactBy(undefined, server)
  const { listen, ...rest } = server
  const byTransport = (entry: unknown): unknown =>
    registered(entry, 'transport', registries?.transports, (transport) => transport.listenOptions)
  return {
    ...(redactBy(undefined, rest) as object),
    ...(listen === undefined ? {} : { listen: listOf(listen, byTransport) })
  }
}

const redactClient = (client: unknown, registries: Registered | undefined): unknown => {
  if (!isPlain(client)) return redactBy(undefined, client)
  const { connect, proxies, forwards, ...rest } = client
  const kinds = registries?.proxies
  return {
    ...(redactBy(undefined, rest) as object),
    ...(connect === undefined
      ? {}
      : { connect: registered(connect, 'transport', registries?.transports, (transport) => transport.dialOptions) }),
    ...(proxies === undefined
      ? {}
      : { proxies: listOf(proxies, (entry) => registered(entry, 'kind', kinds, ({ spec }) => spec)) }),
    ...(forwards === undefined
      ? {}
      : { forwards: listOf(forwards, (entry) => registered(entry, 'kind', kinds, ({ forward }) => forward)) })
  }
}

/**
 * A configuration for people to see, by `redactBy` of @rystra/model with the schema of each part: without values that a schema marks with `secret: true`, or whose names sound like a
 * secret unless marked with `secret: false`, and without user and password in URLs. Never throws; the configuration is
 * not changed.
 */
export const redactConfig = (config: unknown, { extensions, registries }: RedactionSchemas = {}): unknown => {
  if (!isPlain(config)) return redactBy(undefined, config)
  const { extensions: entries, server, client, ...rest } = config
  return {
    ...(redactBy(undefined, rest) as object),
    ...(entries === undefined ? {} : { extensions: listOf(entries, (entry) => redactEntry(entry, extensions)) }),
    ...(server === undefined ? {} : { server: redactServer(server, registries) }),
    ...(client === undefined ? {} : { client: redactClient(client, registries) })
  }
}
