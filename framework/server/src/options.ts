import { type ResolvedConfig, type RystraConfig, validateBase, validateWith } from '@rystra/config'
import type { ControlOptions } from '@rystra/control'
import { type GenerationRef, type KernelUse, loadWithPreset, stateFiles } from '@rystra/kernel'
import { type Logger, RystraError } from '@rystra/model'
import type { InheritedSocket } from '@rystra/net'
import type { Clock, Extension, StateFolder } from '@rystra/plugin'
import path from 'node:path'

/** How a server is made. */
export interface ServerOptions extends ControlOptions {
  /** Relative paths in the configuration start here. @default the working directory */
  readonly dir?: string
  /** Where extensions keep what has to outlast the process. @default `.rystra` in `dir` */
  readonly stateDir?: string
  /**
   * TCP sockets that listen already, as systemd passes them: used in place of binding the same address, by listeners and by
   * proxies. What came for a proxy waits while its client is away. @default none
   */
  readonly sockets?: readonly InheritedSocket[]
  /** Those sockets are listened on when it resolves: until then another process accepts. @default at once */
  readonly begin?: Promise<void>
  /**
   * Hosts, routes and names that were published in that process when it accepted no more; nothing where it cannot say. Visitors of
   * others do not wait for a client then. @default nothing
   */
  readonly published?: Promise<readonly string[] | undefined>
  /** @default logs nothing */
  readonly log?: Logger
  /** @default the clock of the machine */
  readonly clock?: Clock
  /** Loaded too, each unless the configuration has an extension of the same name. @default none */
  readonly preset?: readonly Extension[]
  /** Where to find a package before it is looked for in `node_modules`. */
  readonly resolve?: (name: string) => string | undefined
  /** Tells processes that share a state folder apart. @default `server.cluster.name` */
  readonly member?: string
  /**
   * Added to each port of `server.listen` and of listeners of extensions, for several servers with one configuration on one
   * machine. Port 0 stays any free one. @default 0
   */
  readonly portOffset?: number
  /** Whether other processes may bind the same TCP ports, see `canReusePort` of @rystra/net; not those of proxies. @default false */
  readonly reusePort?: boolean
}

/** Files of the server itself that outlast the process, beside those of its extensions. */
export const filesOf = ({ dir = '.', stateDir = path.join(dir, '.rystra') }: ServerOptions): StateFolder =>
  stateFiles(path.resolve(stateDir, 'server'), 'server')

/** A whole configuration with the half of a server. */
export type ServerSide = ResolvedConfig & { readonly server: NonNullable<ResolvedConfig['server']> }

/** The configuration by itself. Throws `config.*`. */
export const baseOf = (config: RystraConfig, { dir, portOffset = 0 }: ServerOptions): ResolvedConfig => {
  const origin = dir === undefined ? {} : { dir }
  const written = validateBase(config, origin)
  const base = written.server === undefined ? validateBase({ ...config, server: {} }, origin) : written
  const { server } = base
  if (portOffset === 0 || server === undefined) return base
  const listen = server.listen.map((entry, index) => {
    if (entry.port === 0) return entry
    if (entry.port + portOffset <= 65_535) return { ...entry, port: entry.port + portOffset }
    const detail = `server.listen[${index}].port: ${entry.port} + ${portOffset} is above 65535`
    throw new RystraError('config.invalid', { side: 'server', detail })
  })
  return { ...base, server: { ...server, listen } }
}

/** With the half that a server needs checked against what is registered. Throws `config.invalid`. */
export const checkedWith = (base: ResolvedConfig, { registries }: GenerationRef): ServerSide =>
  validateWith(base, registries, 'server') as ServerSide

/** The extensions that a configuration names, and those of the preset. */
export const usesOf = (
  { extensions = [] }: RystraConfig,
  { dir = process.cwd(), resolve, preset }: ServerOptions
): Promise<KernelUse[]> => loadWithPreset(extensions, resolve === undefined ? { dir } : { dir, resolve }, preset)

/** Half a configuration would silently be all defaults: other listeners, other limits, no extension. */
export const throwIfHalf = (config: RystraConfig): void => {
  if (validateBase(config).server !== undefined) return
  const detail = 'server: expected the whole configuration, as createServer takes it, got nothing'
  throw new RystraError('config.invalid', { detail })
}
