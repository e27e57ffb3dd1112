import { parse, TomlError } from 'smol-toml'
import type { ReadFormat } from './format.js'
import { syntax } from './syntax.js'

/** TOML 1.0. */
export const read: ReadFormat = (file, text) => {
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [what = 'not TOML'] = error.message.replace('Invalid TOML document: ', '').split('\n')
    throw syntax(file, what, error.line, error.column)
  }
}
