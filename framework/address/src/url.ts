import { type ErrorCode, RystraError } from '@rystra/model'
import { endpointProblem } from './endpoint.js'

/** What a URL of one option may be. */
export interface UrlForms {
  /** `['redis', 'rediss']` */
  readonly schemes: readonly string[]
  /** Shown where it cannot be told what was meant: `redis://host:6379`. */
  readonly example: string
}

/** What was expected in the place of a URL, without its text, which may hold a secret; `undefined` for a good one. */
export const urlProblem = (text: string, { schemes, example }: UrlForms): string | undefined => {
  const good = `a URL such as ${example}`
  if (/\s/.test(text)) return `${good}, without white space`
  const [, scheme, at = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:[^/?#]*@)?([^/?#]*)/i.exec(text) ?? []
  if (scheme === undefined || !schemes.includes(scheme.toLowerCase())) {
    return `${good}, with ${schemes.map((one) => `${one}://`).join(' or ')} in front`
  }
  const problem = endpointProblem(at, { defaultPort: 1 })
  if (problem !== undefined) return `${good}; in the place of its host and port ${problem}`
  return URL.canParse(text) ? undefined : good
}

/** Throws `code` unless it is a URL of one of these schemes. @param name The option: `url`. */
export const checkUrl = (text: string, forms: UrlForms, name: string, code: ErrorCode = 'extension.options'): void => {
  const problem = urlProblem(text, forms)
  if (problem !== undefined) throw new RystraError(code, { detail: `${name}: expected ${problem}` })
}
