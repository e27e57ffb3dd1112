/** Finds, reads, substitutes, validates and diffs the configuration. */
export { type Changes, diffConfig } from './diff.js'
export type { ExtensionEntry } from '@rystra/plugin'
export type { ConfigFormat } from './formats/format.js'
export { type Described, type JsonSchema, jsonSchema } from './json-schema.js'
export { inspectConfig, type InspectedConfig, loadConfig, type LoadedConfig, searchPlaces } from './load.js'
export { checkSent, localFieldsOf } from './sent.js'
export { readText } from './text-file.js'
export { ConfigError, formatProblem, type Problem } from './problem.js'
export { redactConfig } from './redact.js'
export { inspectWith, resolveForward, resolveProxy, validateWith } from './registered.js'
export { listenConflicts } from './listen-conflicts.js'
export { validateBase } from './validate.js'
export {
  type ConnectConfig,
  defineConfig,
  type ForwardEntry,
  type ListenEntry,
  type ProxyEntry,
  type ResolvedClient,
  type ResolvedCluster,
  type ResolvedConfig,
  type ResolvedServer,
  type RystraConfig
} from './types.js'
