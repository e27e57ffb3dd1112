/** Loads extensions, builds generations, owns registries and lifecycle. Knows no extension by name. */
export { capabilityOf, packageFor } from './capabilities.js'
export { systemClock } from './clock.js'
export type { DataTap, GenerationRef, Generations, HookCalls, ListeningExtension } from './hook-calls.js'
export { type HookFacts, hookTable } from '@rystra/plugin'
export type { ExtensionInspection, Inspection, TapInspection } from './inspect.js'
export type { PackageInfo } from './instance.js'
export type { KernelOptions, KernelState } from './kernel-options.js'
export { Kernel } from './kernel.js'
export { MetricStore } from './metrics.js'
export { stateFiles } from './state-folder.js'
export { describe } from './options/describe.js'
export { type OptionProblem, OptionsError, type Validated, validateOptions } from './options/validate.js'
export type { KernelUse } from './plan.js'
export { isSecretName, redact, redacted } from '@rystra/plugin'
export { strict } from './options/strict.js'
export { didYouMean, nearest } from './options/suggest.js'
export { type Manifest, entryOf } from './load/entry.js'
export type { ExtensionEntry } from '@rystra/plugin'
export { loadWithPreset } from './load/preset.js'
export {
  type LoadedExtension,
  loadExtension,
  loadExtensions,
  loadPackage,
  importModule
} from './load/load.js'
export { isPath, type LoadFrom, type Located, locateExtension } from './load/locate.js'
