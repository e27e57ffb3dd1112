import { type Static, type TSchema, Type } from '@rystra/model/schema'
import {
  type Address,
  type ErrorCode,
  type ErrorDetails,
  type ExtensionError,
  type Logger,
  type ProxySpec,
  registerErrors,
  RystraError,
  type Side
} from '@rystra/model'
import type { Clock } from './clock.js'
import type { Runtime } from './runtime.js'
import type { Hooks } from './hook-table.js'
import type { Metrics } from './metrics.js'
import type { Registries } from './registries.js'
import type { StateFolder } from './state-folder.js'
import type { ListenHost } from './transport.js'
import { fileURLToPath } from 'node:url'

const brand = Symbol.for('rystra.extension')

/** The version of the contracts in this package. An extension made for another major is refused. */
export const apiVersion = 1

/** What an extension gets. */
export interface ExtensionContext<Options, Codes extends string = never> {
  /** Unique name of this instance: that of the extension, unless the configuration gives it another. */
  readonly name: string
  /** Tap them here. */
  readonly hooks: Hooks
  /** Register here. */
  readonly registries: Registries
  /** Validated, defaults filled in. */
  readonly options: Options
  /** Says the extension's name with each line. */
  readonly log: Logger
  /** Which end it runs in: one package may serve both. */
  readonly role: Side
  /** Relative paths in the options start at this folder: that of the configuration. */
  readonly dir: string
  /**
   * Folder of this end that all extensions share, for what several of them need: a certificate that was made here, for
   * example. The first writer makes it, readable by its owner alone. Files of one extension belong into {@link state}.
   */
  readonly stateDir: string
  /** Files of this instance that outlast the process. */
  readonly state: StateFolder
  /**
   * What the instance that this one replaces has handed over, see {@link Lifecycle.handover}; `undefined` at the first
   * start. It may be of another version of the extension: check it.
   */
  readonly previous: unknown
  /**
   * Makes an error with one of the codes in `errors` of the definition, to be thrown or rejected with: its code is
   * `<extension>.<code>`. Code, text and detail cross the wire; the other side need not have the extension.
   */
  error(code: Codes, details?: ErrorDetails): RystraError
  readonly clock: Clock
  readonly metrics: Metrics
  /**
   * TCP ports of this end, for `start()`. The same in each generation, so that an instance and its successor can hold one
   * port while a reload is under way; on a server also the same that transports listen through.
   */
  readonly ports: ListenHost
  /** What runs at this end, its events and its control, for `start()`, hooks and timers. The same in each generation. */
  readonly runtime: Runtime
}

/** An address that an extension binds. */
export interface ExtensionAddress extends Address {
  /** See `TcpListening.exclusive`. @default false */
  readonly exclusive?: boolean | undefined
}

/** What owns sockets, files and timers. */
export interface Lifecycle {
  /** Called once, after the set-up of all extensions. A throw fails the start, or the reload. */
  start?(): Promise<void> | void
  /** Called once, also after a start that failed, and after a set-up that was never started. */
  stop?(): Promise<void> | void
  /**
   * TCP addresses that {@link start} binds through `context.ports`. A plan tries them, without starting anything. @default none
   */
  readonly listens?: readonly ExtensionAddress[]
  /**
   * What a reload that replaces this instance gives to its successor, which has the same name, as `context.previous`:
   * counters, caches, connections. Kept in memory only. Called before the set-up of the successor, and this instance goes on
   * until its last stream is over, or for good when the reload fails: give objects that both may use, and change nothing.
   * Synchronous; a throw is logged, and the successor begins without.
   * @default nothing
   */
  handover?(): unknown
}

/** Something one extension offers and another needs: `transport:tls`, `muxer:yamux`, `authenticator:token`, `kind:http`, or a word of their own. */
export type Capability = string

/** What {@link ExtensionDefinition.advise} is asked about: a configuration that is valid. */
export interface AdvisedConfig {
  /** All extensions, with the defaults of their options filled in. */
  readonly extensions: readonly { readonly name: string; readonly options: unknown }[]
  /** Entries of `client.proxies` in the same configuration. */
  readonly proxies: readonly ProxySpec[]
}

/** What {@link defineExtension} takes. */
export interface ExtensionDefinition<Schema extends TSchema, Codes extends string = never> {
  /** Unique among the loaded: `transport-tcp`. Its taps carry it. */
  readonly name: string
  /** TypeBox schema of the options. Unknown keys are refused. @default no options */
  readonly options?: Schema
  /** What has to be there besides. What an extension registers counts as provided. */
  readonly requires?: readonly Capability[] | ((options: Static<Schema>) => readonly Capability[])
  /** What it provides besides what it registers. */
  readonly provides?: readonly Capability[]
  /** Errors of its own, by the second part of their code: `closed` for `office-hours.closed`. @default none */
  readonly errors?: Readonly<Record<Codes, ExtensionError>>
  /**
   * What is valid and unlikely to work, for `rystra check`: sentences without their full stop. Not called by a server or
   * client. @default nothing
   */
  advise?(options: Static<Schema>, config: AdvisedConfig): readonly string[]
  /** Taps and registers, and nothing else: it must be possible to set up, and never start. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a set-up that returns nothing is the usual one
  setup(context: ExtensionContext<Static<Schema>, Codes>): Lifecycle | undefined | void
}

/** An extension with the options it is to be used with. */
export interface ExtensionUse {
  readonly extension: Extension
  /** As written: not validated yet. */
  readonly options: unknown
}

/** An extension. Call it with options to use it from code: `officeHours({ from: 8 })`. `Extension` alone is any of them. */
export interface Extension<Options = never> {
  (options?: Options): ExtensionUse
  readonly definition: ExtensionDefinition<TSchema>
  readonly apiVersion: number
  /** The file that called {@link defineExtension}, where the stack names it: what throws there is logged with its name. */
  readonly file?: string
}

/**
 * Options of extensions by the name under which a configuration uses them, so that a misspelt option of `use: 'name'` is
 * an error of the compiler. An extension adds its own:
 * `declare module '@rystra/plugin' { interface ExtensionOptions { 'rystra-office-hours': Partial<Options> } }`
 */
// biome-ignore lint/suspicious/noEmptyInterface: extensions add to it by declaration merging
export interface ExtensionOptions {}

/**
 * An extension as a configuration names it: a package, a path relative to the configuration, or, in code, the extension
 * itself, with or without options. `name` tells two uses of one extension apart.
 */
export type ExtensionEntry =
  | string
  | Extension
  | ExtensionUse
  | { readonly use: string | Extension; readonly name?: string; readonly options?: unknown }

const noOptions = Type.Object({})

/** Partial where a default exists would be ideal; what the schema leaves optional may be left out. */
type Written<Schema extends TSchema> = Schema extends { static: infer S } ? Partial<S> : never

/** The file behind the second frame of a stack: `new Error()` is the first. */
const callerFile = ({ stack = '' }: Error): string | undefined => {
  const [, file] = /\(?((?:file:\/\/)?\/[^()]*?):\d+:\d+\)?$/.exec(stack.split('\n')[2] ?? '') ?? []
  return file?.startsWith('file:') === true ? fileURLToPath(file) : file
}

/**
 * Makes an extension; make it the default export of its module. Everything is inferred from `options`.
 *
 * @example
 * export default defineExtension({
 *   name: 'closed-on-sunday',
 *   setup({ hooks }) {
 *     hooks.onOpenStream.tap(() => (new Date().getDay() === 0 ? { deny: 'closed on Sunday' } : undefined))
 *   }
 * })
 */
export const defineExtension = <Schema extends TSchema = typeof noOptions, Codes extends string = never>(
  definition: ExtensionDefinition<Schema, Codes>
): Extension<Written<Schema>> => {
  if (definition.errors !== undefined) registerErrors(definition.name, definition.errors)
  const extension = ((options?: unknown) => ({ extension, options: options ?? {} })) as unknown as Extension<
    Written<Schema>
  >
  return Object.defineProperties(extension, {
    name: { value: definition.name },
    definition: { value: Object.freeze({ options: noOptions, ...definition }), enumerable: true },
    apiVersion: { value: apiVersion, enumerable: true },
    file: { value: callerFile(new Error('defined here')), enumerable: true },
    [brand]: { value: true }
  })
}

/** What `context.error` of an extension is. */
export const errorMaker =
  (extension: string) =>
  (code: string, details?: ErrorDetails): RystraError =>
    new RystraError(`${extension}.${code}` as ErrorCode, details)

/** Whether a value was made by {@link defineExtension}, also by another installed copy of this package. */
export const isExtension = (value: unknown): value is Extension =>
  typeof value === 'function' && (value as { [brand]?: true })[brand] === true
