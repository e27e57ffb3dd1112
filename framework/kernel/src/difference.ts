import type { ReloadContext, Side } from '@rystra/plugin'
import type { Draft, Generation } from './generation.js'
import type { Instance } from './instance.js'

/** What a generation has that the one before it had not, and the other way around. */
export const difference = (side: Side, before: Generation, next: Generation, { added }: Draft): ReloadContext => {
  const stays = new Set(next.instances)
  const names = (instances: readonly Instance[]) => Object.freeze(instances.map(({ name }) => name))
  return Object.freeze({
    side,
    kept: names(next.instances.filter((instance) => !added.includes(instance))),
    added: names(added),
    removed: names(before.instances.filter((instance) => !stays.has(instance)))
  })
}
