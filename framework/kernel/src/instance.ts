import { isDeepStrictEqual, types } from 'node:util'
import {
  type Capability,
  type Clock,
  type ErrorCode,
  errorMaker,
  type Extension,
  type ExtensionAddress,
  isRystraError,
  type Lifecycle,
  type ListenHost,
  type Logger,
  type Metrics,
  RystraError,
  type Runtime,
  secretTexts,
  type Side
} from '@rystra/plugin'
import { capabilityOf } from './capabilities.js'
import { keepAlive, within } from './clock.js'
import { portsOf } from './named-ports.js'
import { clone } from './options/validate.js'
import { placeOf } from './place.js'
import { SetupRecord } from './record.js'
import type { GenerationRegistries } from './registry.js'
import { secretLog } from './secret-log.js'
import { stateFolder } from './state-folder.js'

/** Where an extension was loaded from, if from a package. */
export interface PackageInfo {
  readonly name: string
  readonly version: string
}

/** An extension that is to be set up, its options validated. */
export interface InstancePlan {
  /** Unique among the loaded. */
  readonly name: string
  readonly extension: Extension
  readonly package: PackageInfo | undefined
  readonly options: unknown
}

/** What an instance works with. */
export interface InstanceHost {
  readonly side: Side
  readonly dir: string
  readonly stateDir: string
  readonly log: Logger
  readonly clock: Clock
  readonly metrics: Metrics
  readonly ports: ListenHost
  readonly runtime: Runtime
  /** Whether extensions with addresses of their own are started. */
  readonly listening: boolean
  /** Milliseconds a start may take, 0 for no limit. */
  readonly startTimeout: number
  /** Milliseconds a stop may take, 0 for no limit. */
  readonly stopTimeout: number
}

/** One extension with one set of options, from its set-up to its stop. Several generations may share it. */
export class Instance {
  readonly name: string
  readonly extension: Extension
  readonly package: PackageInfo | undefined
  readonly options: unknown
  readonly requires: readonly Capability[]
  readonly record: SetupRecord
  /** The number of live generations that have it. The one that counts it down to 0 stops it. */
  generations = 0
  /** See `Lifecycle.listens`. */
  get listens(): readonly ExtensionAddress[] {
    return this.#lifecycle.listens ?? []
  }

  readonly #host: InstanceHost
  #secrets: readonly string[] | undefined
  readonly #lifecycle: Lifecycle
  #stopped: Promise<void> | undefined

  /**
   * Sets the extension up. Throws `extension.setup-failed`, or what is more telling.
   * @param previous what the instance that it replaces has handed over
   */
  constructor(plan: InstancePlan, host: InstanceHost, draft: GenerationRegistries, previous: unknown) {
    const { definition } = plan.extension
    this.name = plan.name
    this.extension = plan.extension
    this.package = plan.package
    this.options = plan.options
    this.#host = host
    this.record = new SetupRecord(plan.name, draft)
    try {
      const { requires = [] } = definition
      this.requires = Object.freeze([
        ...(typeof requires === 'function' ? requires(clone(plan.options) as never) : requires)
      ])
      const lifecycle = definition.setup(
        Object.freeze({
          name: plan.name,
          hooks: this.record.hooks,
          registries: this.record.registries,
          options: clone(plan.options) as never,
          error: errorMaker(definition.name),
          log: secretLog(host.log.child({ extension: plan.name }), definition.options, plan.options),
          role: host.side,
          dir: host.dir,
          stateDir: host.stateDir,
          state: stateFolder(host.stateDir, plan.name),
          previous,
          clock: host.clock,
          metrics: host.metrics,
          ports: portsOf(host.ports, plan.name),
          runtime: host.runtime
        })
      )
      this.#lifecycle = checkLifecycle(lifecycle)
    } catch (error) {
      // A message of its own says what is wrong; that of a mistake in the code needs the place.
      const place = error instanceof TypeError || error instanceof ReferenceError ? placeOf(error) : undefined
      throw errorOf(plan.name, error, 'extension.setup-failed', place)
    } finally {
      this.record.close()
    }
  }

  /** What its options mark as secret. */
  get secrets(): readonly string[] {
    this.#secrets ??= secretTexts(this.extension.definition.options, this.options)
    return this.#secrets
  }

  /** Where its code is. */
  get source(): { readonly name: string; readonly file: string | undefined; readonly packaged: boolean } {
    return { name: this.name, file: this.extension.file, packaged: this.package !== undefined }
  }

  /** What it provides: what it says, and what it registered. */
  get provides(): Capability[] {
    const registered = this.record.registrations.map(({ registry, name }) => capabilityOf(registry, name))
    return [...(this.extension.definition.provides ?? []), ...registered]
  }

  /** Whether it is what a plan asks for, so that it can be kept. */
  fits(plan: InstancePlan): boolean {
    if (plan.name !== this.name) return false
    const same =
      plan.extension === this.extension ||
      (plan.package !== undefined &&
        plan.package.name === this.package?.name &&
        plan.package.version === this.package.version)
    return same && isDeepStrictEqual(plan.options, this.options)
  }

  /** Rejects with `extension.start-failed`, or with a coded error of the extension. */
  async start(): Promise<void> {
    const { clock, startTimeout, listening } = this.#host
    if (!listening && this.listens.length > 0) return
    try {
      const late = () => new Error(`it has not started within ${startTimeout} ms`)
      await keepAlive(within(clock, startTimeout, Promise.resolve(this.#lifecycle.start?.()), late))
    } catch (error) {
      throw errorOf(this.name, error, 'extension.start-failed')
    }
  }

  /** Whether an instance of this plan takes its place. */
  precedes(plan: InstancePlan): boolean {
    return plan.name === this.name && plan.extension.definition.name === this.extension.definition.name
  }

  /** What it gives to the instance that takes its place. Never throws: a failure is logged. */
  handOver(): unknown {
    try {
      const state = this.#lifecycle.handover?.()
      if (!types.isPromise(state)) return state
      state.catch(() => {})
      throw new TypeError('handover() returned a promise: expected a synchronous function')
    } catch (err) {
      const { log } = this.#host
      log.error(
        { err, extension: this.name },
        'an extension failed to hand over its state: its successor begins without'
      )
      return undefined
    }
  }

  /** Stops it, once, whatever became of its start. Never rejects: a failure is logged. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    const { clock, log, stopTimeout } = this.#host
    try {
      const late = () => new Error(`it has not stopped within ${stopTimeout} ms`)
      await keepAlive(within(clock, stopTimeout, Promise.resolve(this.#lifecycle.stop?.()), late))
    } catch (error) {
      log.error({ err: error, extension: this.name }, 'an extension failed to stop')
    }
  }
}

/** An error of an extension, whose details name it. Errors with a code keep it, with hint and side. */
const errorOf = (name: string, error: unknown, code: ErrorCode, place?: string): RystraError => {
  const where = place === undefined ? '' : ` (${place})`
  if (!isRystraError(error)) {
    return new RystraError(code, {
      detail: `${name}: ${error instanceof Error ? error.message : String(error)}${where}`,
      cause: error
    })
  }
  const { code: own, detail, hint, side, entry, retryable } = error
  if (detail?.split(/[^\w@/.-]+/).includes(name) === true) return error
  const named = detail === undefined ? name : `${name}: ${detail}`
  const made = new RystraError(own, {
    detail: named,
    hint,
    sent: { text: entry.message, retryable },
    ...(side === undefined ? {} : { side }),
    cause: error
  })
  return Object.assign(made, error, { detail: named })
}

/** What `setup` returned. A promise would mean that it still taps after the generation is made. */
const checkLifecycle = (returned: unknown): Lifecycle => {
  if (returned === undefined || returned === null) return {}
  if (types.isPromise(returned) || typeof (returned as { then?: unknown }).then === 'function') {
    Promise.resolve(returned).catch(() => {})
    throw new TypeError(
      'setup() returned a promise: expected a synchronous function; asynchronous work belongs in start()'
    )
  }
  if (typeof returned !== 'object')
    throw new TypeError(`setup() returned a ${typeof returned}; expected { start, stop } or nothing`)
  for (const member of ['start', 'stop', 'handover'] as const) {
    const value = (returned as Members)[member]
    if (value !== undefined && typeof value !== 'function')
      throw new TypeError(`setup() returned a ${member} that is not a function`)
  }
  return returned as Lifecycle
}

type Members = { readonly [member: string]: unknown }
