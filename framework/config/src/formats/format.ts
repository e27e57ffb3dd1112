import type { Environment } from '../variables.js'

/** What a configuration can be written in. */
export type ConfigFormat = 'yaml' | 'json' | 'toml' | 'code'

/** A parser of one format: text in, plain values out. */
export type ReadFormat = (file: string, text: string, env: Environment) => unknown | Promise<unknown>
