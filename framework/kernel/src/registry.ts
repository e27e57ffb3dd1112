import { type Registries, type Registry, type RegistryName, registryNames, RystraError } from '@rystra/plugin'
import { didYouMean } from './options/suggest.js'

/** What is said and checked about the things of one registry. */
export interface RegistryFacts {
  /** One of them, in words: `no transport named …`. */
  readonly noun: string
  /** The property under which a thing carries its name. */
  readonly key: 'name' | 'kind' | 'method'
  /** What has to be a function for a thing to be worth registering. */
  readonly functions: readonly string[]
  /** What may be left out, and is a function otherwise. @default none */
  readonly optional?: readonly string[]
  /** The word before the colon in a capability, `kind:tcp`. */
  readonly capability: string
  /** How our packages of this kind begin: `@rystra/proxy-tcp`. */
  readonly packagePrefix: string
}

/** One row for each registry. */
export const registryFacts: Readonly<Record<RegistryName, RegistryFacts>> = Object.freeze({
  transports: {
    noun: 'transport',
    key: 'name',
    functions: ['listen', 'dial'],
    capability: 'transport',
    packagePrefix: 'transport'
  },
  muxers: { noun: 'muxer', key: 'name', functions: ['wrap'], capability: 'muxer', packagePrefix: 'mux' },
  proxies: {
    noun: 'kind of proxy',
    key: 'kind',
    functions: ['publish', 'reach'],
    capability: 'kind',
    packagePrefix: 'proxy'
  },
  authenticators: {
    noun: 'authenticator',
    key: 'method',
    functions: [],
    optional: ['prove', 'verify', 'review'],
    capability: 'authenticator',
    packagePrefix: 'auth'
  },
  relays: { noun: 'relay', key: 'name', functions: ['accepts', 'join'], capability: 'relay', packagePrefix: 'relay' },
  discoveries: { noun: 'discovery', key: 'name', functions: [], capability: 'discovery', packagePrefix: 'discovery' },
  directories: {
    noun: 'directory',
    key: 'name',
    functions: ['open'],
    capability: 'directory',
    packagePrefix: 'cluster'
  },
  channels: {
    noun: 'channel handler',
    key: 'name',
    functions: ['onChannel'],
    capability: 'channel',
    packagePrefix: 'channel'
  },
  adminRoutes: {
    noun: 'set of admin routes',
    key: 'name',
    functions: [],
    capability: 'admin',
    packagePrefix: 'admin'
  },
  visitChecks: {
    noun: 'visit check',
    key: 'name',
    functions: ['check'],
    capability: 'check',
    packagePrefix: 'hook'
  },
  certificateSources: {
    noun: 'source of certificates',
    key: 'name',
    functions: ['serves', 'certificate', 'httpChallenge', 'tlsChallenge', 'list'],
    capability: 'certificates',
    packagePrefix: 'certificates'
  },
  httpObservers: {
    noun: 'observer of HTTP',
    key: 'name',
    functions: ['begin'],
    capability: 'http-observer',
    packagePrefix: 'inspect'
  }
})

/** A name that is allowed in a configuration and on the wire. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/

/** The name that a thing carries. Throws a `TypeError` when the thing is not what its registry is for. */
export const nameOf = (registry: RegistryName, thing: unknown): string => {
  const { noun, key, functions, optional = [] } = registryFacts[registry]
  const fields = (typeof thing === 'object' && thing !== null ? thing : {}) as Record<string, unknown>
  const name = fields[key]
  if (typeof name !== 'string' || !namePattern.test(name)) {
    throw new TypeError(`a ${noun} needs a ${key}: 1 to 64 letters, digits and . _ + -, not ${JSON.stringify(name)}`)
  }
  for (const member of functions) {
    if (typeof fields[member] !== 'function') throw new TypeError(`the ${noun} "${name}" has no ${member}()`)
  }
  for (const member of optional) {
    if (fields[member] !== undefined && typeof fields[member] !== 'function')
      throw new TypeError(`${member} of the ${noun} "${name}" is no function`)
  }
  return name
}

/** One registry of one generation. */
class NamedRegistry<Thing> implements Registry<Thing> {
  /** Made with the first thing: most registries of a client stay empty. */
  #things: Map<string, { thing: Thing; owner: string }> | undefined
  readonly #registry: RegistryName
  #frozen = false

  constructor(registry: RegistryName) {
    this.#registry = registry
  }

  /** Throws `extension.too-late` once the generation is made. `owner` is the extension that adds. */
  add(thing: Thing, owner = 'the kernel'): void {
    const { noun } = registryFacts[this.#registry]
    const name = nameOf(this.#registry, thing)
    if (this.#frozen) throw new RystraError('extension.too-late', { detail: `the ${noun} "${name}"` })
    const there = this.#things?.get(name)
    if (there !== undefined) {
      const owners = there.owner === owner ? `${owner}, twice` : `${there.owner} and ${owner}`
      throw new RystraError('registry.duplicate', { detail: `the ${noun} "${name}" of ${owners}` })
    }
    this.#things ??= new Map()
    this.#things.set(name, { thing, owner })
  }

  get(name: string): Thing {
    const there = this.#things?.get(name)
    if (there !== undefined) return there.thing
    const { noun } = registryFacts[this.#registry]
    const names = this.list()
    const registered = names.length === 0 ? 'nothing is registered' : `registered: ${names.join(', ')}`
    throw new RystraError('registry.unknown', {
      detail: `no ${noun} named ${JSON.stringify(name)}; ${registered}${didYouMean(name, names)}`
    })
  }

  has(name: string): boolean {
    return this.#things?.has(name) === true
  }

  list(): readonly string[] {
    return [...(this.#things?.keys() ?? [])]
  }

  freeze(): void {
    this.#frozen = true
  }
}

/** All registries of one generation. */
export type GenerationRegistries = { readonly [Name in RegistryName]: NamedRegistry<ThingOf<Name>> }

/** What one registry holds. */
export type ThingOf<Name extends RegistryName> = Registries[Name] extends Registry<infer Thing> ? Thing : never

/** Empty ones. */
export const createRegistries = (): GenerationRegistries =>
  Object.freeze(
    Object.fromEntries(registryNames.map((name) => [name, new NamedRegistry(name)]))
  ) as unknown as GenerationRegistries
