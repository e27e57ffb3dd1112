import type { ExtensionUse, Registries, RegistryName, Side } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { setUpExtension } from './harness.js'
import type { Scope } from './scope.js'

/** What is under test: an extension that registers one such thing, or what makes it, for each side anew. */
export type Maker<Thing> = ExtensionUse | ((side: Side) => Thing | Promise<Thing>)

type ThingOf<Name extends RegistryName> = ReturnType<Registries[Name]['get']>

/** Makes the thing for one side; an extension is set up and started for it, and stopped when the run is over. */
export const make = async <Name extends RegistryName>(
  maker: Maker<ThingOf<Name>>,
  registry: Name,
  side: Side,
  scope: Scope
): Promise<ThingOf<Name>> => {
  if (!('extension' in maker)) return maker(side)
  const setUp = setUpExtension(maker, side)
  scope.defer(() => setUp.stop())
  await setUp.start()
  const [thing, ...more] = setUp.registered(registry)
  assert.ok(
    thing !== undefined && more.length === 0,
    `the extension registers ${more.length + (thing ? 1 : 0)} ${registry}`
  )
  return thing
}
