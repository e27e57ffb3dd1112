import type { ConfigFormat, ReadFormat } from './formats/format.js'
import { syntax } from './formats/syntax.js'
import { ConfigError } from './problem.js'
import type { Environment } from './variables.js'

export type { ConfigFormat } from './formats/format.js'

/** Each loads its parser when the first file of its format is read. */
const readers: Readonly<Record<ConfigFormat, () => Promise<{ readonly read: ReadFormat }>>> = {
  yaml: () => import('./formats/yaml.js'),
  json: () => import('./formats/json.js'),
  toml: () => import('./formats/toml.js'),
  code: () => import('./formats/code.js')
}

/** By the end of the name; a name without one, `.rystrarc`, is YAML, of which JSON is a part. */
export const formatOf: Readonly<Record<string, ConfigFormat>> = {
  '.yaml': 'yaml',
  '.yml': 'yaml',
  '.json': 'json',
  '.toml': 'toml',
  '.ts': 'code',
  '.js': 'code',
  '.mjs': 'code',
  noExt: 'yaml'
}

/**
 * Reads one format.
 * @throws config.syntax with file, line, column and what is wrong there
 */
export const read = async (format: ConfigFormat, file: string, text: string, env: Environment): Promise<unknown> => {
  try {
    const reader = await readers[format]()
    return await reader.read(file, text, env)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const what = error instanceof Error ? error.message : String(error)
    throw syntax(file, what, undefined, undefined, error)
  }
}
