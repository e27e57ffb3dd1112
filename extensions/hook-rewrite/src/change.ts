import { RystraError } from '@rystra/plugin'
import { RE2JS } from 're2js'
import { invalid } from './invalid.js'
import type { Change } from './options.js'

/** Longest result in characters: more than any server accepts as one header. */
const longest = 65_536

/**
 * Compiles a replacement by regular expression in linear time: the engine never backtracks. Throws `extension.options`
 * for invalid patterns.
 */
export const compileChange = (
  { pattern, with: replacement, ignoreCase = false, all = false }: Change,
  path: string
): ((text: string) => string) => {
  let compiled: RE2JS
  try {
    compiled = RE2JS.compile(pattern, ignoreCase ? RE2JS.CASE_INSENSITIVE : 0)
  } catch (error) {
    throw invalid(`${path}.pattern`, (error as Error).message, error)
  }
  if (all && compiled.test('')) {
    throw invalid(`${path}.pattern`, 'must not match the empty text with `all`')
  }
  return (text) => {
    const matcher = compiled.matcher(text)
    const made = all ? matcher.replaceAll(replacement) : matcher.replaceFirst(replacement)
    if (made.length > longest) {
      throw new RystraError('hook.failed', { detail: `hook-rewrite: ${path} makes more than ${longest} characters` })
    }
    return made
  }
}
