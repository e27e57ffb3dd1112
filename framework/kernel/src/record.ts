import {
  type Authenticator,
  type HookName,
  hookNames,
  type Hooks,
  NORMAL,
  type Registries,
  type RegistryName,
  registryNames,
  RystraError
} from '@rystra/plugin'
import { type GenerationRegistries, nameOf, registryFacts } from './registry.js'
import { didYouMean } from './options/suggest.js'
import { createTap, type Tap, tapOf } from './hooks/tap.js'

/** What all facades of a kind are made from: its keys, whose values {@link named} makes. */
const shape = (names: readonly string[]): object =>
  Object.freeze(
    Object.defineProperties({}, Object.fromEntries(names.map((name) => [name, { enumerable: true, get: () => {} }])))
  )

const hookShape = shape(hookNames)
const registryShape = shape(registryNames)

/**
 * Frozen, and an error that names what is there when a misspelt name is read: the author may write JavaScript. An entry is made
 * when it is read first: an extension uses few of them, and a program may have a thousand clients.
 */
const named = (what: string, shape: object, make: (name: never) => object): object => {
  const made: Record<string, object> = {}
  return new Proxy(shape, {
    get: (target, name, receiver) => {
      if (typeof name === 'string' && Object.hasOwn(target, name)) {
        made[name] ??= make(name as never)
        return made[name]
      }
      if (typeof name === 'symbol' || name in target) return Reflect.get(target, name, receiver)
      throw new TypeError(`there is no ${what} ${name}${didYouMean(name, Object.keys(target))}`)
    }
  })
}

/** Something an extension registered. */
export interface Registration {
  readonly registry: RegistryName
  readonly name: string
  readonly thing: unknown
}

/**
 * What one extension tapped and registered at its set-up, and the two facades through which it did. A generation
 * replays it, so that an extension that is kept is not set up again.
 */
export class SetupRecord {
  readonly extension: string
  readonly taps: Tap[] = []
  readonly registrations: Registration[] = []
  #open = true
  /** What the extension sees when it looks something up: the registries of the newest generation it is part of. */
  #view: GenerationRegistries

  constructor(extension: string, draft: GenerationRegistries) {
    this.extension = extension
    this.#view = draft
  }

  /** The facades, for one set-up: the record keeps neither, so that they go where the extension keeps neither. */
  get hooks(): Hooks {
    return named('hook', hookShape, (name) => this.#hook(name)) as Hooks
  }

  get registries(): Registries {
    return named('registry', registryShape, (name) => this.#registry(name)) as Registries
  }

  /** The set-up is over: the facades tap and register no more. */
  close(): void {
    this.#open = false
  }

  /** Puts everything registered into the registries of another generation. */
  replay(registries: GenerationRegistries): void {
    for (const { registry, thing } of this.registrations) registries[registry].add(thing as never, this.extension)
  }

  /** Look-ups go to this generation from now on. */
  see(registries: GenerationRegistries): void {
    this.#view = registries
  }

  #hook(name: HookName): object {
    const tap =
      (promise: boolean) =>
      (...args: unknown[]): void => {
        if (!this.#open) throw new RystraError('extension.too-late', { detail: `${this.extension} taps ${name}` })
        this.taps.push(createTap(this.extension, name, promise, args))
      }
    return Object.freeze({ tap: tap(false), tapPromise: tap(true) })
  }

  #registry(registry: RegistryName): object {
    return Object.freeze({
      add: (thing: unknown) => {
        const name = nameOf(registry, thing)
        if (!this.#open) {
          const detail = `${this.extension} registers the ${registryFacts[registry].noun} "${name}"`
          throw new RystraError('extension.too-late', { detail })
        }
        this.#view[registry].add(thing as never, this.extension)
        this.registrations.push({ registry, name, thing })
        if (registry === 'authenticators') this.#tapFor(thing as Authenticator)
      },
      get: (name: string) => this.#view[registry].get(name),
      has: (name: string) => this.#view[registry].has(name),
      list: () => this.#view[registry].list()
    })
  }

  /** An authenticator that can verify answers onAuth for its own method. */
  #tapFor(authenticator: Authenticator): void {
    if (typeof authenticator.verify !== 'function') return
    const { method } = authenticator
    this.taps.push(
      tapOf({
        hook: 'onAuth',
        extension: this.extension,
        promise: true,
        stage: NORMAL,
        authenticator: method,
        applies: (context) => context.method === method,
        fn: ({ proof, challenge, peer }) => authenticator.verify?.(proof, challenge, peer)
      })
    )
  }
}
