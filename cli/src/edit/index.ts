import type { ConfigFormat } from '@rystra/config'
import { basename } from 'node:path'
import type { NewEntry } from './entry.js'
import { addToJson, removeFromJson } from './json.js'
import { addToScript, removeFromScript } from './script.js'
import { addToToml, removeFromToml } from './toml.js'
import { addToYaml, removeFromYaml } from './yaml.js'

export { defaultsOf, type NewEntry, type OptionDefault } from './entry.js'
export { scriptEntry } from './script.js'

/** A configuration file. */
export interface ConfigText {
  readonly path: string
  readonly format: ConfigFormat
  readonly text: string
}

const jsonRoot = (path: string): string[] => (basename(path) === 'package.json' ? ['rystra'] : [])

/**
 * The text with one more entry at the end of `extensions`; comments and all else stay. Nothing when it is not clear
 * where to write it. The caller reads the result before it trusts it.
 */
export const addEntry = ({ path, format, text }: ConfigText, entry: NewEntry): string | undefined => {
  switch (format) {
    case 'yaml':
      return addToYaml(text, entry)
    case 'json':
      return addToJson(text, entry, jsonRoot(path))
    case 'toml':
      return addToToml(text, entry)
    default:
      return addToScript(text, entry)
  }
}

/** The text without the entry at `index` of `extensions`. Nothing when it is not clear where it stands. */
export const removeEntry = ({ path, format, text }: ConfigText, index: number): string | undefined => {
  switch (format) {
    case 'yaml':
      return removeFromYaml(text, index)
    case 'json':
      return removeFromJson(text, index, jsonRoot(path))
    case 'toml':
      return removeFromToml(text, index)
    default:
      return removeFromScript(text, index)
  }
}
