import { RystraError } from '@rystra/plugin'
import { RE2JS } from 're2js'
import { invalid } from './invalid.js'
import type { Change } from './options.js'

/** The longest text that a change may make, in characters: more than any server takes as one header. */
const longest = 65_536

/**
 * A search and replace by regular expression, in time linear to the text: the engine never goes back, whatever the
 * pattern. Throws `extension.options` for what is no pattern.
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
    throw invalid(`${path}.pattern`, 'it matches nothing at all, so that with `all` it would match everywhere')
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
