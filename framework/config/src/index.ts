/** Finds, reads, substitutes, validates and diffs the configuration. */
export { hostsOverlap } from './conflicts.js'
export { type Changes, type ConfigDiff, diffConfig } from './diff.js'
export { bytesSchema } from './bytes.js'
export { durationSchema, maxDuration, parseDuration } from './duration.js'
export type { ExtensionEntry } from '@rystra/plugin'
export { extensionSchema } from './entry.js'
export type { ConfigFormat } from './formats.js'
export { type Described, type JsonSchema, jsonSchema } from './json-schema.js'
export {
  type InspectedConfig,
  inspectConfig,
  type LoadedConfig,
  type LoadOptions,
  loadConfig,
  searchPlaces
} from './load.js'
export { checkSent, localFieldsOf } from './sent.js'
export { maxFileSize, readText } from './text-file.js'
export { ConfigError, formatProblem, type Problem } from './problem.js'
export { redactConfig, type RedactionSchemas } from './redact.js'
export { inspectWith, type Registered, resolveProxy, resolveForward, validateWith } from './registered.js'
export type { ResolvedServerEntry, ServerEntry } from './server-entry.js'
export * from './types.js'
export { type ConfigOrigin, defaultClientId, validateBase } from './validate.js'
export { type ExtensionListen, listenConflicts } from './listen-conflicts.js'
export { type Environment, substitute } from './variables.js'
