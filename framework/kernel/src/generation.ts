import type { GenerationRef, ListeningExtension } from './hook-calls.js'
import type { Clock, Registries, TSchema } from '@rystra/plugin'
import { Calls } from './hooks/calls.js'
import type { GuardHost } from './hooks/guard.js'
import type { Instance } from './instance.js'
import { createRegistries, type GenerationRegistries } from './registry.js'

/** By what a configuration may call the extensions. */
const schemasOf = (instances: readonly Instance[]): ReadonlyMap<string, TSchema> => {
  const found = new Map<string, TSchema>()
  for (const { name, package: from, extension } of instances) {
    const { options } = extension.definition
    if (options === undefined) continue
    for (const key of [name, from?.name, extension.file]) if (key !== undefined) found.set(key, options)
  }
  return found
}

/** One immutable set of extensions, with their taps compiled and their registrations in place. */
export class Generation implements GenerationRef {
  readonly id: number
  readonly calls: Calls
  readonly registries: Registries
  readonly instances: readonly Instance[]
  readonly #all: GenerationRegistries
  #holds = 0
  #state: 'present' | 'retired' | 'free' = 'present'
  #onFree: (() => void) | undefined
  #cancelDrain: (() => void) | undefined

  /** `registries` are those into which the instances were set up and replayed. They are frozen here. */
  constructor(id: number, instances: readonly Instance[], registries: GenerationRegistries, host: GuardHost) {
    this.id = id
    this.instances = Object.freeze([...instances])
    this.calls = new Calls(
      instances.flatMap((instance) => instance.record.taps),
      host
    )
    this.#all = registries
    for (const registry of Object.values(registries)) registry.freeze()
    this.registries = registries
  }

  get optionSchemas(): ReadonlyMap<string, TSchema> {
    return schemasOf(this.instances)
  }

  get listens(): readonly ListeningExtension[] {
    return this.instances.flatMap(({ name, listens }) => listens.map((address) => ({ extension: name, ...address })))
  }

  /**
   * Keeps this generation's extensions running until the returned function is called; calling it again does nothing.
   * Too late for a generation that was not held when it was replaced, or whose drain deadline has passed.
   */
  hold(): () => void {
    let held = true
    this.#holds++
    return () => {
      if (!held) return
      held = false
      this.#holds--
      if (this.#holds === 0 && this.#state === 'retired') this.free()
    }
  }

  /** Takes it into use: what its extensions look up, they find here. */
  adopt(): void {
    for (const instance of this.instances) {
      instance.generations++
      instance.record.see(this.#all)
    }
  }

  /** It was replaced. `onFree` is called once: when it is no longer held, or `drain` milliseconds have passed. */
  retire(clock: Clock, drain: number, onFree: () => void): void {
    this.#state = 'retired'
    this.#onFree = onFree
    if (this.#holds === 0) this.free()
    else this.#cancelDrain = clock.after(drain, () => this.free())
  }

  /** Releases its extensions now, held or not. */
  free(): void {
    if (this.#state === 'free') return
    this.#state = 'free'
    this.#cancelDrain?.()
    const onFree = this.#onFree
    this.#onFree = undefined
    onFree?.()
  }
}

/** Sets up, or takes over, one instance after the other, and makes a generation of them. */
export class Draft {
  readonly registries = createRegistries()
  readonly instances: Instance[] = []
  readonly added: Instance[] = []
  readonly kept: Instance[] = []

  /** Counted as one more generation until the draft is done with: it may be of one that drains meanwhile. */
  keep(instance: Instance): void {
    instance.generations++
    this.kept.push(instance)
    instance.record.replay(this.registries)
    this.instances.push(instance)
  }

  add(instance: Instance): void {
    this.instances.push(instance)
    this.added.push(instance)
  }
}
