import { type TObject, type TSchema, Type } from '@rystra/model/schema'
import { type ProxyKind, type ProxySpec, type Registries, RystraError, type Side, type Transport } from '@rystra/plugin'
import { nearest } from '@rystra/kernel'
import { check, fieldsOf } from './check.js'
import { carryVariables, copyPlain } from './plain.js'
import { ConfigError, type Problem, at, formatProblem, show } from './problem.js'
import {
  type ResolvedClient,
  type ResolvedCluster,
  type ResolvedConfig,
  connectSchema,
  listenSchema,
  proxySchema,
  forwardSchema
} from './types.js'
import type { ResolvedServerEntry } from './server-entry.js'
import type { ConfigOrigin, Inspected } from './validate.js'

/** What of the registries the configuration refers to. */
export type Registered = Pick<Registries, 'transports' | 'muxers' | 'proxies'> &
  Partial<Pick<Registries, 'discoveries' | 'directories'>>

/** Used when `client.connect.muxer` names none and it is registered. */
export const usualMuxer = 'yamux'

const noFields = Type.Object({})

/**
 * Checks what only extensions know, for one half of the configuration: that transports, muxers and kinds of proxies are
 * registered, and the fields they add. Fills in their defaults, and `client.connect.muxer`. The other half is left as it
 * is, so that a machine needs the extensions of its own role only.
 * @throws config.invalid with all problems there are
 */
export const validateWith = (
  config: ResolvedConfig,
  registries: Registered,
  side: Side,
  origin: ConfigOrigin = {}
): ResolvedConfig => {
  const { config: checked, problems } = inspectWith(config, registries, side)
  if (checked === undefined || problems.length > 0) throw new ConfigError('config.invalid', problems, origin.file)
  return checked
}

/** As {@link validateWith}, with all problems in the place of an exception; skips entries that are `undefined`. */
export const inspectWith = (config: ResolvedConfig, registries: Registered, side: Side): Inspected => {
  const problems: Problem[] = []
  const checked =
    side === 'server' ? checkServer(config, registries, problems) : checkClient(config, registries, problems)
  return { config: checked, problems }
}

/**
 * An entry of `client.proxies` that comes from code, as {@link validateWith} makes it of one that was written. May be
 * given what it returned. @throws proxy.invalid, proxy.unknown-kind
 */
export const resolveProxy = (entry: unknown, registered: Pick<Registered, 'proxies'>): ProxySpec =>
  resolveEntry(entry, proxySchema, ({ spec }) => spec, registered)

/** The same for an entry of `client.forwards`. */
export const resolveForward = (entry: unknown, registered: Pick<Registered, 'proxies'>): ProxySpec =>
  resolveEntry(entry, forwardSchema, ({ forward }) => forward, registered)

const resolveEntry = (
  entry: unknown,
  schema: TObject,
  addedBy: (kind: ProxyKind) => TSchema | undefined,
  { proxies }: Pick<Registered, 'proxies'>
): ProxySpec => {
  const problems: Problem[] = []
  const plain = copyPlain(entry, problems)
  const common = problems.length === 0 ? check(schema, plain, '', problems) : undefined
  if (problems.length === 0) {
    const { kind } = common as ProxySpec
    if (!proxies.has(kind)) {
      const detail = `${kind}; registered: ${proxies.list().join(', ') || 'none'}`
      throw new RystraError('proxy.unknown-kind', { side: 'client', detail })
    }
    const spec = checkAdded(addedBy(proxies.get(kind)), schema, common as ProxySpec, '', problems)
    if (problems.length === 0) return spec
  }
  throw new RystraError('proxy.invalid', { side: 'client', detail: problems.map(formatProblem).join('; ') })
}

const checkServer = (config: ResolvedConfig, registered: Registered, problems: Problem[]): ResolvedConfig => {
  const { transports } = registered
  if (config.server === undefined) return config
  checkCluster(config.server.cluster, registered, problems)
  const listen = config.server.listen?.map((entry, i) => {
    const path = at('server.listen', i)
    if (entry?.transport === undefined) return entry
    if (!isRegistered(transports, entry.transport, at(path, 'transport'), 'transport', problems)) return entry
    const transport = transports.get(entry.transport)
    addressed(transport, entry, at(path, 'address'), problems)
    return checkAdded(transport.listenOptions, listenSchema, entry, path, problems)
  })
  return { ...config, server: { ...config.server, listen } }
}

const checkCluster = (
  cluster: ResolvedCluster | undefined,
  { transports, directories }: Registered,
  problems: Problem[]
): void => {
  if (cluster === undefined) return
  const path = 'server.cluster'
  const { transport, directory } = cluster
  if (transport !== undefined) isRegistered(transports, transport, at(path, 'transport'), 'transport', problems)
  if (directory !== undefined && directories !== undefined)
    isRegistered(directories, directory, at(path, 'directory'), 'directory', problems)
}

const checkClient = (config: ResolvedConfig, registries: Registered, problems: Problem[]): ResolvedConfig => {
  if (config.client === undefined) return config
  const proxies = config.client.proxies?.map((entry, i) => {
    const path = at('client.proxies', i)
    if (entry?.kind === undefined) return entry
    if (!isRegistered(registries.proxies, entry.kind, at(path, 'kind'), 'kind of proxy', problems)) return entry
    return checkAdded(registries.proxies.get(entry.kind).spec, proxySchema, entry, path, problems)
  })
  const forwards = config.client.forwards?.map((entry, i) => {
    const path = at('client.forwards', i)
    if (entry?.kind === undefined) return entry
    if (!isRegistered(registries.proxies, entry.kind, at(path, 'kind'), 'kind of proxy', problems)) return entry
    const { forward } = registries.proxies.get(entry.kind)
    return checkAdded(forward, forwardSchema, entry, path, problems)
  })
  const connect = checkConnect(config.client.connect, registries, problems)
  return { ...config, client: { ...config.client, connect, proxies, forwards } }
}

const checkConnect = (
  connect: ResolvedClient['connect'],
  { transports, muxers, discoveries }: Registered,
  problems: Problem[]
): ResolvedClient['connect'] => {
  const path = 'client.connect'
  if (connect?.transport === undefined) return connect
  if (connect.discover !== undefined && (discoveries?.list().length ?? 0) === 0)
    problems.push({
      path: at(path, 'discover'),
      value: show(connect.discover, path),
      expected: 'a registered discovery; registered: none',
      hint: 'add @rystra/discovery-mdns to `extensions`'
    })
  // A transport that multiplexes by itself needs no muxer, so that none at all is no mistake yet.
  const muxer = connect.muxer ?? (muxers.has(usualMuxer) ? usualMuxer : muxers.list()[0])
  if (connect.muxer !== undefined) isRegistered(muxers, connect.muxer, at(path, 'muxer'), 'muxer', problems)
  if (!isRegistered(transports, connect.transport, at(path, 'transport'), 'transport', problems)) return connect
  const transport = transports.get(connect.transport)
  const { dialOptions } = transport
  if (connect.host !== undefined || connect.address !== undefined)
    addressed(transport, connect, at(path, 'address'), problems)
  const checked = checkAdded(dialOptions, connectSchema, connect, path, problems)
  const servers = connect.servers?.map((entry, i) => checkServerEntry(dialOptions, connect, entry, i, problems))
  return {
    ...checked,
    ...(muxer === undefined ? {} : { muxer }),
    ...(servers === undefined ? {} : { servers })
  }
}

/** What an entry adds is checked with what holds for all; what is wrong with that was told before. */
const checkServerEntry = (
  dialOptions: TSchema | undefined,
  { servers: _, ...common }: ResolvedClient['connect'],
  entry: ResolvedServerEntry | undefined,
  index: number,
  problems: Problem[]
): ResolvedServerEntry => {
  if (entry === undefined) return entry as never
  const path = at('client.connect.servers', index)
  const found: Problem[] = []
  const checked = checkAdded(dialOptions, connectSchema, { ...common, ...entry }, path, found)
  const isOwn = (problem: Problem): boolean => Object.keys(entry).some((key) => problem.path.startsWith(at(path, key)))
  const known = new Set(problems.map((problem) => problem.path.replace('client.connect', path)))
  problems.push(...found.filter((problem) => isOwn(problem) || !known.has(problem.path)))
  return Object.fromEntries(Object.keys(entry).map((key) => [key, checked[key]])) as unknown as ResolvedServerEntry
}

/** Whether an entry has the address that its transport needs. */
const addressed = (
  { name, addressing = 'host-port' }: Transport,
  { address }: { readonly address?: string | undefined },
  path: string,
  problems: Problem[]
): void => {
  if ((addressing === 'name') === (address !== undefined)) return
  const expected =
    address === undefined
      ? `an address, by which the transport ${name} is reached in place of host and port`
      : `host and port: the transport ${name} has no other addresses`
  problems.push({ path, value: address === undefined ? 'nothing' : show(address, path), expected })
}

const isRegistered = (
  registry: { has(name: string): boolean; list(): readonly string[] },
  name: string,
  path: string,
  what: string,
  problems: Problem[]
): boolean => {
  if (registry.has(name)) return true
  const names = registry.list()
  const meant = nearest(name, names)
  const expected = `a registered ${what}; registered: ${names.join(', ') || 'none'}`
  const hint = meant === undefined ? 'add the extension that registers it' : `did you mean ${meant}?`
  problems.push({ path, value: show(name, path), expected, hint })
  return false
}

/** Checks the fields that an extension adds to an entry; those common to all entries were checked before. */
const checkAdded = <Entry extends object>(
  schema: TSchema = noFields,
  common: TObject,
  entry: Entry,
  path: string,
  problems: Problem[]
): Entry => {
  const known = fieldsOf(common)
  const own = fieldsOf(schema)
  const isAdded = ([key]: [string, unknown]): boolean => !known.includes(key) || own.includes(key)
  const fields = Object.entries(entry)
  const added = Object.fromEntries(fields.filter(isAdded))
  carryVariables(entry, added)
  const checked = check(schema, added, path, problems, { alsoKnown: known })
  return { ...Object.fromEntries(fields.filter((field) => !isAdded(field))), ...(checked as object) } as Entry
}
