import type { GenerationRef } from '@rystra/kernel'
import { type ResolvedClient, type ResolvedConfig, type RystraConfig, validateBase, validateWith } from '@rystra/config'
import type { ControlOptions } from '@rystra/control'
import { type KernelUse, loadWithPreset } from '@rystra/kernel'
import { type Logger, RystraError } from '@rystra/model'
import type { Clock, Extension } from '@rystra/plugin'
import type { ResolveSrv } from './srv.js'

/** How a client is made. */
export interface ClientOptions extends ControlOptions {
  /** Relative paths in the configuration start here. @default the working directory */
  readonly dir?: string
  /** Where extensions keep what has to outlast the process. @default `.rystra` in `dir` */
  readonly stateDir?: string
  /** @default logs nothing */
  readonly log?: Logger
  /** @default the clock of the machine */
  readonly clock?: Clock
  /** Maximum of connections to services; one visitor address may have half of them. @default 15/16 of the limit of open files */
  readonly maxServiceSockets?: number
  /**
   * Whether extensions that bind addresses of their own are started, such as admin-http with `listen`. False for a short-lived
   * client beside the process of the same configuration, which has these addresses. @default true
   */
  readonly listening?: boolean
  /** Loaded too, each unless the configuration has an extension of the same name. @default none */
  readonly preset?: readonly Extension[]
  /** Where to find a package before it is looked for in `node_modules`. */
  readonly resolve?: (name: string) => string | undefined
  /** Looks up `client.connect.srv`. @default that of `node:dns/promises` */
  readonly resolveSrv?: ResolveSrv
}

/** Whether two configurations mean the same server, and the same client of it. */
export const sameServer = (one: ResolvedClient, other: ResolvedClient): boolean =>
  JSON.stringify([one.id, one.connect]) === JSON.stringify([other.id, other.connect])

/** The configuration by itself. Throws `config.*`. */
export const baseOf = (config: RystraConfig, { dir }: ClientOptions): ResolvedConfig => {
  const base = validateBase(config, dir === undefined ? {} : { dir })
  if (base.client !== undefined) return base
  throw new RystraError('config.invalid', { side: 'client', detail: 'client: expected, got nothing' })
}

/** A whole configuration with the half of a client. */
export type ClientSide = ResolvedConfig & { readonly client: ResolvedClient }

/** With the half that a client needs checked against what is registered. Throws `config.invalid`. */
export const checkedWith = (base: ResolvedConfig, { registries }: GenerationRef): ClientSide =>
  validateWith(base, registries, 'client') as ClientSide

/** The extensions that a configuration names, and those of the preset. */
export const usesOf = (
  { extensions = [] }: RystraConfig,
  { dir = process.cwd(), resolve, preset }: ClientOptions
): Promise<KernelUse[]> => loadWithPreset(extensions, resolve === undefined ? { dir } : { dir, resolve }, preset)
