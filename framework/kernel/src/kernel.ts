import type { GenerationRef, Generations } from './hook-calls.js'
import path from 'node:path'
import {
  type Clock,
  emptyRuntime,
  type Metrics,
  type ReloadContext,
  RystraError,
  type Side,
  silentLog
} from '@rystra/plugin'
import { type Blame, blame } from './blame.js'
import { checkRequires } from './capabilities.js'
import { systemClock } from './clock.js'
import { difference } from './difference.js'
import { Draft, Generation } from './generation.js'
import { type Inspection, inspectGeneration } from './inspect.js'
import { Instance, type InstanceHost, type InstancePlan } from './instance.js'
import { MetricStore } from './metrics.js'
import type { KernelOptions, KernelState } from './kernel-options.js'
import { noPorts } from './named-ports.js'
import { type KernelUse, planUses } from './plan.js'
import { secretLogOf } from './secret-log.js'

/**
 * Owns the extensions of one end: sets them up, starts and stops them, and gives their hooks and registries to the
 * framework, one generation after the other; knows none by name. Its calls are done one at a time, in order.
 */
export class Kernel implements Generations {
  readonly side: Side
  readonly metrics: Metrics
  readonly #host: InstanceHost
  readonly #drain: number
  /** Generations whose extensions are needed, the present one last. */
  readonly #alive = new Set<Generation>()
  /** A log for what taps and other code of extensions throw: without what the options of those that are loaded mark as secret. */
  readonly secretLog = secretLogOf(this.#alive)
  /** Stops that are under way. */
  readonly #stops = new Set<Promise<void>>()
  #current: Generation | undefined
  #ids = 0
  #state: KernelState = 'new'
  #turn: Promise<unknown> = Promise.resolve()
  #stopping: Promise<void> | undefined

  constructor(options: KernelOptions) {
    const { side, log = silentLog, clock = systemClock, metrics = new MetricStore() } = options
    this.side = side
    this.metrics = metrics
    const dir = path.resolve(options.dir ?? '.')
    this.#drain = options.drain ?? 30_000
    this.#host = Object.freeze({
      side,
      dir,
      stateDir: path.resolve(options.stateDir ?? path.join(dir, '.rystra')),
      log: this.secretLog(log),
      clock,
      metrics,
      ports: options.ports ?? noPorts,
      runtime: options.runtime ?? emptyRuntime(side),
      listening: options.listening ?? true,
      startTimeout: options.startTimeout ?? 30_000,
      stopTimeout: options.stopTimeout ?? 10_000
    })
  }

  /** The time source of everything that runs on it. */
  get clock(): Clock {
    return this.#host.clock
  }

  get state(): KernelState {
    return this.#state
  }

  /** The present generation; after a stop, the last one. Throws `kernel.state` before the first. */
  get current(): GenerationRef {
    return this.#present()
  }

  /**
   * Validates the options of all, sets all up, and checks what they require. Starts nothing.
   *
   * Rejects with `extension.options`, `extension.duplicate`, `extension.setup-failed`, `registry.duplicate`,
   * `extension.async-tap` or `extension.requires`; nothing is left behind then, and it may be called again.
   */
  provision(uses: readonly KernelUse[]): Promise<void> {
    return this.#queue(async () => {
      this.#expect('provision', 'new')
      const draft = await this.#draft(uses)
      this.#swap(this.#make(draft))
      this.#state = 'provisioned'
    })
  }

  /**
   * Starts all, in order, then calls onStart. Rejects with `extension.start-failed`; everything was stopped again then,
   * in reverse order.
   */
  start(): Promise<void> {
    return this.#queue(async () => {
      this.#expect('start', 'provisioned')
      this.#state = 'starting'
      const generation = this.#present()
      try {
        for (const instance of generation.instances) await this.#startOne(instance)
        await generation.calls.start(this.#moment())
        this.#goOn('start')
        this.#state = 'running'
      } catch (error) {
        await stopAll(generation.instances)
        this.#alive.clear()
        this.#state = 'failed'
        throw error
      }
    })
  }

  /**
   * Makes the next generation beside the present one, and swaps. What is named in both, with the same options, is kept
   * as it is; what is new is set up and started; what is gone is stopped once no generation with it is held. Before
   * a start nothing is started.
   *
   * `prepare` is called with the next generation when everything else is ready: what must not fail after the swap, such
   * as binding addresses, is done there.
   *
   * Rejects as {@link provision} and {@link start} do, and with what `prepare` throws; then the present generation goes
   * on as if nothing had been asked.
   */
  reload(uses: readonly KernelUse[], prepare?: (next: GenerationRef) => Promise<void>): Promise<ReloadContext> {
    return this.#queue(async () => {
      this.#expect('reload', 'provisioned', 'running')
      const before = this.#present()
      const draft = await this.#draft(uses)
      const next = this.#make(draft)
      try {
        if (this.#state === 'running') for (const instance of draft.added) await this.#startOne(instance)
        this.#goOn('reload')
        await prepare?.(next)
      } catch (error) {
        await this.#giveUp(draft)
        throw error
      }
      this.#swap(next)
      this.#release(draft.kept)
      const context = difference(this.side, before, next, draft)
      if (this.#state === 'running') await next.calls.reload(context)
      before.retire(this.#host.clock, this.#drain, () => this.#free(before))
      return context
    })
  }

  /**
   * Does what {@link reload} does before it starts anything, and takes it back: sets up what is new, calls `inspect` with
   * the generation that would be next, and answers with the difference. Rejects as {@link provision} does, and with what
   * `inspect` throws.
   */
  rehearse(uses: readonly KernelUse[], inspect: (next: GenerationRef) => unknown): Promise<ReloadContext> {
    return this.#queue(async () => {
      this.#expect('rehearse', 'provisioned', 'running')
      const draft = await this.#draft(uses)
      try {
        const next = new Generation(this.#ids + 1, draft.instances, draft.registries, this.#host)
        await inspect(next)
        return difference(this.side, this.#present(), next, draft)
      } finally {
        await this.#giveUp(draft)
      }
    })
  }

  /**
   * Calls onShutdown, then stops all in reverse order, whatever holds them. Works in every state, and may be called
   * again: a start or reload that is under way is given up at its next step, what waits behind it is refused. Never
   * rejects.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#queue(() => this.#stop())
    return this.#stopping
  }

  /** The loaded extensions and their taps, in order, for people and programs. Secrets are left out. */
  inspect(): Inspection {
    return inspectGeneration(this.side, this.#state, this.#alive.size, this.#current)
  }

  /** The extension whose code threw an error, by its stack, among those that are loaded. */
  blame(error: unknown): Blame | undefined {
    const sources = [...this.#alive].flatMap(({ instances }) => instances.map(({ source }) => source))
    return blame(error, sources)
  }

  async #stop(): Promise<void> {
    const generation = this.#current
    const ran = this.#state === 'running'
    if (this.#state !== 'failed') {
      this.#state = 'stopping'
      if (ran) await generation?.calls.shutdown(this.#moment())
      if (generation !== undefined) await stopAll(generation.instances)
      for (const old of [...this.#alive]) old.free()
      this.#alive.clear()
      await Promise.all(this.#stops)
    }
    this.#state = 'stopped'
  }

  /** Sets up what is new, keeps what is not. When anything fails, what was set up is stopped again. */
  async #draft(uses: readonly KernelUse[]): Promise<Draft> {
    const plans = planUses(uses)
    const draft = new Draft()
    try {
      for (const plan of plans) {
        const kept = this.#find(plan)
        const before = kept === undefined ? this.#current?.instances.find((one) => one.precedes(plan)) : undefined
        if (kept === undefined) draft.add(new Instance(plan, this.#host, draft.registries, before?.handOver()))
        else draft.keep(kept)
      }
      checkRequires(draft.instances)
      return draft
    } catch (error) {
      await this.#giveUp(draft)
      throw error
    }
  }

  async #giveUp(draft: Draft): Promise<void> {
    await stopAll(draft.added)
    this.#release(draft.kept)
  }

  /** An instance that fits: of the present generation, or of one that still drains, after a change was taken back. */
  #find(plan: InstancePlan): Instance | undefined {
    for (const generation of [...this.#alive].reverse()) {
      const found = generation.instances.find((instance) => instance.fits(plan))
      if (found !== undefined) return found
    }
    return undefined
  }

  #make(draft: Draft): Generation {
    return new Generation(++this.#ids, draft.instances, draft.registries, this.#host)
  }

  #swap(generation: Generation): void {
    generation.adopt()
    this.#alive.add(generation)
    this.#current = generation
  }

  #free(generation: Generation): void {
    this.#alive.delete(generation)
    this.#release(generation.instances)
  }

  /** A generation, or a draft, is over: what no other has is stopped, in reverse order. */
  #release(instances: readonly Instance[]): void {
    const over = instances.filter((instance) => --instance.generations === 0)
    if (over.length === 0) return
    const stop: Promise<void> = stopAll(over).then(() => {
      this.#stops.delete(stop)
    })
    this.#stops.add(stop)
  }

  #startOne(instance: Instance): Promise<void> {
    this.#goOn('start')
    return instance.start()
  }

  #moment(): { readonly side: Side } {
    return Object.freeze({ side: this.side })
  }

  #present(): Generation {
    if (this.#current === undefined) throw new RystraError('kernel.state', { detail: 'nothing was provisioned yet' })
    return this.#current
  }

  #expect(what: string, ...states: readonly KernelState[]): void {
    this.#goOn(what)
    if (states.includes(this.#state)) return
    throw new RystraError('kernel.state', { detail: `${what} of a kernel that is ${this.#state}` })
  }

  #goOn(what: string): void {
    if (this.#stopping !== undefined)
      throw new RystraError('kernel.state', { detail: `${what} of a kernel that stops` })
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work)
    this.#turn = done.catch(() => {})
    return done
  }
}

const stopAll = async (instances: readonly Instance[]): Promise<void> => {
  for (const instance of [...instances].reverse()) await instance.stop()
}
