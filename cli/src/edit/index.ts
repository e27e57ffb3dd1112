import type { ConfigFormat } from '@rystra/config'
import { basename } from 'node:path'
import type { NewEntry } from './entry.js'
import { addToJson, removeFromJson } from './json.js'
import { addToYaml, removeFromYaml } from './yaml.js'

export { defaultsOf, type NewEntry, type OptionDefault } from './entry.js'
export { snippetOf } from './snippet.js'

/** A configuration file. */
export interface ConfigText {
  readonly path: string
  readonly format: ConfigFormat
  readonly text: string
}

const jsonRoot = (path: string): string[] => (basename(path) === 'package.json' ? ['rystra'] : [])

/** Whether configurations of a format are edited. Of the others, the lines to add are printed. */
export const isEdited = (format: ConfigFormat): boolean => format === 'yaml' || format === 'json'

/**
 * The text with one more entry at the end of `extensions`; comments and all else stay. Nothing when it is not clear
 * where to write it. The caller reads the result before it trusts it.
 */
export const addEntry = ({ path, format, text }: ConfigText, entry: NewEntry): string | undefined => {
  if (format === 'yaml') return addToYaml(text, entry)
  return format === 'json' ? addToJson(text, entry, jsonRoot(path)) : undefined
}

/** The text without the entry at `index` of `extensions`. Nothing when it is not clear where it stands. */
export const removeEntry = ({ path, format, text }: ConfigText, index: number): string | undefined => {
  if (format === 'yaml') return removeFromYaml(text, index)
  return format === 'json' ? removeFromJson(text, index, jsonRoot(path)) : undefined
}
