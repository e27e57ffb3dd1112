import { type Capability, type RegistryName, RystraError } from '@rystra/plugin'
import { registryFacts } from './registry.js'
import { didYouMean } from './options/suggest.js'

/** The word for something registered: `kind:tcp`. */
export const capabilityOf = (registry: RegistryName, name: string): Capability =>
  `${registryFacts[registry].capability}:${name}`

/** The package that would provide something, if it is one of ours by its name: `@rystra/proxy-tcp` for `kind:tcp`. */
export const packageFor = (capability: Capability): string | undefined => {
  const [word, name] = capability.split(':')
  const facts = Object.values(registryFacts).find((row) => row.capability === word)
  return facts === undefined || name === undefined || name === '' ? undefined : `@rystra/${facts.packagePrefix}-${name}`
}

/** What needs and provides capabilities: an instance. */
interface Needing {
  readonly name: string
  readonly requires: readonly Capability[]
  readonly provides: readonly Capability[]
}

/** Throws `extension.requires`, naming everything that is not provided. */
export const checkRequires = (instances: readonly Needing[]): void => {
  const provided = new Set(instances.flatMap((instance) => instance.provides))
  const missing = instances.flatMap((instance) =>
    instance.requires.filter((need) => !provided.has(need)).map((need) => ({ need, name: instance.name }))
  )
  if (missing.length === 0) return
  const lines = missing.map(({ name, need }) => `${name} needs ${need}${didYouMean(need, [...provided])}`)
  const hint = `add an extension that provides it; provided now: ${[...provided].join(', ') || 'nothing'}`
  throw new RystraError('extension.requires', { detail: lines.join('; '), hint })
}
