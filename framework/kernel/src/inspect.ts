import { type Capability, type FailurePolicy, type HookName, hookNames, redactBy, type Side } from '@rystra/plugin'
import { capabilityOf } from './capabilities.js'
import type { Generation } from './generation.js'
import type { Instance, PackageInfo } from './instance.js'
import type { KernelState } from './kernel-options.js'
import type { Tap, TapCounters } from './hooks/tap.js'

/** One tap, with what was counted of it. */
export interface TapInspection extends Readonly<TapCounters> {
  readonly hook: HookName
  readonly extension: string
  readonly stage: number
  /** Milliseconds, 0 for no limit; absent for taps that answer at once. */
  readonly timeout?: number
  readonly onFailure: FailurePolicy
  /** The method, for the tap of an authenticator. */
  readonly authenticator?: string
}

/** One extension of the present generation. */
export interface ExtensionInspection {
  readonly name: string
  /** Its package, if it came from one. */
  readonly package?: PackageInfo
  /** The file that defines it, if the stack named one. */
  readonly file?: string
  /** Secrets are left out. */
  readonly options: unknown
  /** What it registered: `transport:tcp`. */
  readonly registers: readonly Capability[]
  readonly requires: readonly Capability[]
  /** What it registered among them. */
  readonly provides: readonly Capability[]
  readonly taps: readonly TapInspection[]
}

/** What a kernel looks like from outside. */
export interface Inspection {
  readonly side: Side
  readonly state: KernelState
  /** The number of the present generation; 0 before the first. */
  readonly generation: number
  /** How many generations still have something running, the present one among them. */
  readonly generations: number
  /** In the order of the configuration. */
  readonly extensions: readonly ExtensionInspection[]
  /** The taps of each hook, in the order in which they are called. */
  readonly hooks: Readonly<Record<HookName, readonly TapInspection[]>>
}

const inspectTap = (tap: Tap): TapInspection => ({
  hook: tap.hook,
  extension: tap.extension,
  stage: tap.stage,
  ...(tap.promise ? { timeout: tap.timeout } : {}),
  onFailure: tap.onFailure,
  ...(tap.authenticator === undefined ? {} : { authenticator: tap.authenticator }),
  ...tap.counters
})

const inspectInstance = (instance: Instance): ExtensionInspection => ({
  name: instance.name,
  ...(instance.package === undefined ? {} : { package: instance.package }),
  ...(instance.extension.file === undefined ? {} : { file: instance.extension.file }),
  options: redactBy(instance.extension.definition.options, instance.options),
  registers: instance.record.registrations.map(({ registry, name }) => capabilityOf(registry, name)),
  requires: instance.requires,
  provides: instance.provides,
  taps: instance.record.taps.map(inspectTap)
})

/** A picture of the present generation. */
export const inspectGeneration = (
  side: Side,
  state: KernelState,
  generations: number,
  generation: Generation | undefined
): Inspection => ({
  side,
  state,
  generation: generation?.id ?? 0,
  generations,
  extensions: (generation?.instances ?? []).map(inspectInstance),
  hooks: Object.fromEntries(
    hookNames.map((hook) => [hook, (generation?.calls.order(hook) ?? []).map(inspectTap)])
  ) as unknown as Inspection['hooks']
})
