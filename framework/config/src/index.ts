/** Finds, reads, substitutes, validates and diffs the configuration. */
export { maxDuration, parseDuration } from './duration.js'
export type { ConfigFormat } from './formats.js'
export { type LoadedConfig, type LoadOptions, loadConfig, maxFileSize, searchPlaces } from './load.js'
export { formatPorts, parsePorts, type PortRange, type PortsWritten, portAllowed } from './ports.js'
export { ConfigError, formatProblem, type Problem } from './problem.js'
export * from './types.js'
export { type ConfigOrigin, defaultClientId, validateBase } from './validate.js'
export { type Environment, substitute } from './variables.js'
