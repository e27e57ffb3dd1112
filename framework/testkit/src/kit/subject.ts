import type { ExtensionUse, Registries, RegistryName, Side } from '@rystra/plugin'
import assert from 'node:assert/strict'
import { setUpExtension } from './harness.js'
import type { Scope } from './scope.js'

/** What is under test: an extension that registers one such thing, or what makes it, for each side anew. */
export type Maker<Thing> = ExtensionUse | ((side: Side) => Thing | Promise<Thing>)

type ThingOf<Name extends RegistryName> = ReturnType<Registries[Name]['get']>

/** Makes the thing for one side, the only one of its kind or the one of a name; an extension is set up and started for it, and stopped when the run is over. */
export const make = async <Name extends RegistryName>(
  maker: Maker<ThingOf<Name>>,
  registry: Name,
  side: Side,
  scope: Scope,
  /** @default the only one */
  which?: string
): Promise<ThingOf<Name>> => {
  if (!('extension' in maker)) return maker(side)
  const setUp = setUpExtension(maker, side)
  scope.defer(() => setUp.stop())
  await setUp.start()
  const all = setUp.registered(registry) as (ThingOf<Name> & { readonly name?: string })[]
  const found = which === undefined ? all : all.filter(({ name }) => name === which)
  const [thing] = found
  const named = which === undefined ? '' : ` of the name ${which}`
  assert.ok(thing !== undefined && found.length === 1, `the extension registers ${found.length} ${registry}${named}`)
  return thing
}
