import { SharedPorts } from '@rystra/net'
import {
  type Clock,
  errorMaker,
  type ExtensionContext,
  type ExtensionUse,
  type HookName,
  hookNames,
  emptyRuntime,
  type Hooks,
  type Lifecycle,
  type Logger,
  type Registries,
  type Registry,
  type RegistryName,
  registryNames,
  RystraError,
  type Side,
  silentLog,
  type TapOptions
} from '@rystra/plugin'
import { Value } from '@rystra/model/schema'
import path from 'node:path'
import { FakeClock } from '../clock.js'
import { MemoryState } from './memory-state.js'

/** A tap that an extension made. */
export interface RecordedTap {
  readonly hook: HookName
  readonly promise: boolean
  readonly options: TapOptions
  readonly fn: (...args: never[]) => unknown
}

/** A line that an extension logged. */
export interface LoggedLine {
  readonly level: string
  readonly message: string
}

/** How an extension is set up without a kernel. */
export interface HarnessOptions {
  readonly log?: Logger
  /** @default a {@link FakeClock} */
  readonly clock?: Clock
  /** Whether the options are frozen, as a kernel has them. @default true */
  readonly frozen?: boolean
  /** Where relative paths in the options start. @default the working directory */
  readonly dir?: string
  /** @default `.rystra` in `dir` */
  readonly stateDir?: string
  /** What a predecessor hands over. @default nothing */
  readonly previous?: unknown
}

/** An extension that was set up on its own: what it tapped, registered and logged. */
export interface SetUp {
  readonly taps: readonly RecordedTap[]
  readonly lines: readonly LoggedLine[]
  readonly registries: Registries
  /** What it registered in one registry, in order. */
  registered<Name extends RegistryName>(name: Name): ReturnType<Registries[Name]['get']>[]
  start(): Promise<void>
  stop(): Promise<void>
  /** What it gives to a successor. */
  handover(): unknown
  /** What it was given. */
  readonly options: unknown
  /** What the setup returned, also when it is a promise by mistake. */
  readonly answer: unknown
}

/** The options as the framework would give them: defaults filled in, `extension.options` when they are not valid. */
export const resolveOptions = ({ extension, options }: ExtensionUse): unknown => {
  const schema = extension.definition.options
  if (schema === undefined) return {}
  const filled = Value.Default(schema, structuredClone(options))
  const [problem] = Value.Errors(schema, filled)
  if (problem !== undefined) {
    throw new RystraError('extension.options', { detail: `${problem.path || '/'}: ${problem.message}` })
  }
  const known = Object.keys((schema as { properties?: object }).properties ?? {})
  const open = (schema as { additionalProperties?: unknown }).additionalProperties
  if (open === undefined || open === false) {
    const unknown = Object.keys(filled as object).find((key) => !known.includes(key))
    if (unknown !== undefined) throw new RystraError('extension.options', { detail: `/${unknown}: not known` })
  }
  return filled
}

const freeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    Object.values(value).forEach(freeze)
  }
  return value
}

const nameOf = (thing: object): string => {
  const { name, method, kind } = thing as { name?: string; method?: string; kind?: string }
  return name ?? method ?? kind ?? ''
}

const registry = (refuseWhenLate: () => void): Registry<object> & { readonly things: Map<string, object> } => {
  const things = new Map<string, object>()
  return {
    things,
    add(thing) {
      refuseWhenLate()
      const name = nameOf(thing)
      if (things.has(name)) throw new RystraError('registry.duplicate', { detail: name })
      things.set(name, thing)
    },
    get(name) {
      const thing = things.get(name)
      if (thing === undefined) throw new RystraError('registry.unknown', { detail: name })
      return thing
    },
    has: (name) => things.has(name),
    list: () => [...things.keys()]
  }
}

/**
 * Sets an extension up as a kernel would, alone: for the unit tests of an extension, and what the kits do with it. Options
 * are checked and frozen; a tap or a registration after the set-up throws `extension.too-late`.
 */
export const setUpExtension = (use: ExtensionUse, role: Side, options: HarnessOptions = {}): SetUp => {
  const { log: sink = silentLog, clock = new FakeClock(), frozen = true, dir = process.cwd() } = options
  const { stateDir = path.join(dir, '.rystra') } = options
  const taps: RecordedTap[] = []
  const lines: LoggedLine[] = []
  let late = false
  const refuseWhenLate = (): void => {
    if (late) throw new RystraError('extension.too-late', { detail: use.extension.definition.name })
  }
  const tapper =
    (hook: HookName, promise: boolean) =>
    (...args: [RecordedTap['fn']] | [TapOptions, RecordedTap['fn']]): void => {
      refuseWhenLate()
      const [first, second] = args
      taps.push(
        typeof first === 'function'
          ? { hook, promise, options: {}, fn: first }
          : { hook, promise, options: first, fn: second as RecordedTap['fn'] }
      )
    }
  const hooks = Object.fromEntries(
    hookNames.map((hook) => [hook, Object.freeze({ tap: tapper(hook, false), tapPromise: tapper(hook, true) })])
  ) as unknown as Hooks
  const registries = Object.fromEntries(
    registryNames.map((name) => [name, registry(refuseWhenLate)])
  ) as unknown as Registries
  const say =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (...args: [string] | [object, string]): void => {
      lines.push({ level, message: String(args.at(-1)) })
      ;(sink[level] as (...args: unknown[]) => void)(...args)
    }
  const log: Logger = {
    trace: say('trace'),
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: () => log
  }
  const { name } = use.extension.definition
  const context: ExtensionContext<unknown> = {
    name,
    error: errorMaker(name),
    hooks: Object.freeze(hooks),
    registries: Object.freeze(registries),
    options: frozen ? freeze(resolveOptions(use)) : resolveOptions(use),
    log,
    role,
    dir,
    stateDir,
    state: new MemoryState(path.join(stateDir, 'extensions', name)),
    previous: options.previous,
    clock,
    metrics: {
      counter: () => ({ add: () => {} }),
      gauge: () => ({ set: () => {} }),
      collect: () => () => {},
      snapshot: () => []
    },
    ports: new SharedPorts(),
    runtime: emptyRuntime(role)
  }
  const answer = use.extension.definition.setup(context)
  late = true
  const lifecycle = (answer ?? {}) as Lifecycle
  return {
    taps,
    lines,
    registries,
    options: context.options,
    answer,
    registered: (name) =>
      registries[name].list().map((key) => registries[name].get(key)) as ReturnType<Registries[typeof name]['get']>[],
    start: async () => lifecycle.start?.(),
    stop: async () => lifecycle.stop?.(),
    handover: () => lifecycle.handover?.()
  }
}
