import { ConfigError, formatProblem, type Problem } from '@rystra/config'
import { packageFor } from '@rystra/kernel'
import { isRystraError, type RystraError } from '@rystra/model'
import { advised } from './advice.js'
import { located } from './located.js'
import { asRystraError } from './report.js'

/** All that is wrong with one configuration, of each kind. */
export class Mistakes {
  readonly #file: string
  readonly #errors: RystraError[]
  /** Where a variable is missing: an empty text there is not another mistake. */
  readonly #missing: ReadonlySet<string>
  readonly #config: Problem[] = []
  readonly #options: Problem[] = []
  /** Entries whose extension could not be set up, so that what it registers is not known. */
  readonly #withheld: string[] = []

  constructor(file: string, errors: readonly RystraError[]) {
    this.#file = file
    const missing = errors.filter(({ code }) => code === 'config.missing-variable')
    this.#missing = new Set(missing.flatMap((error) => problemsOf(error) ?? []).map(({ path }) => path))
    this.#errors = [...errors]
  }

  get none(): boolean {
    return this.#errors.length + this.#config.length + this.#options.length === 0
  }

  /** @param path names the place in the configuration, for an error that does not */
  add(thrown: unknown, path?: string): void {
    const error = asRystraError(thrown)
    if (path === undefined || error instanceof ConfigError) this.#errors.push(error)
    else this.#errors.push(Object.assign(error, { problems: [problemOf(error, path)] }))
  }

  attempt(check: () => void): void {
    try {
      check()
    } catch (error) {
      this.add(error)
    }
  }

  options(problems: readonly Problem[]): void {
    this.#options.push(...problems.filter(({ path }) => !this.#missing.has(path)))
  }

  withhold(written: string): void {
    this.#withheld.push(written)
  }

  /** Problems of the whole, but those that an extension with mistakes of its own may be the reason of. */
  config(problems: readonly Problem[]): void {
    // Both sides of one configuration may find the same.
    const known = new Set(this.#config.map(formatProblem))
    const others = problems
      .filter(({ path }) => !this.#missing.has(path))
      .filter((one) => !known.has(formatProblem(one)))
    this.#config.push(...others.filter((problem) => !this.#isFollowing(problem)))
  }

  #isFollowing({ path, value, expected, hint }: Problem): boolean {
    const word = /^a registered (?:kind of proxy|(transport|muxer))/.exec(expected)
    if (word === null || hint?.startsWith('did you mean') === true) return false
    const wanted = packageFor(`${word[1] ?? 'kind'}:${/^"(.*)"$/.exec(value)?.[1] ?? path}`)
    return this.#withheld.some((written) => written === wanted || !written.startsWith('@rystra/'))
  }

  /** Throws the only mistake as it is, and several as one error with all of them. */
  throwAny(): void {
    const errors = [...this.#errors]
    if (this.#options.length > 0) errors.push(new ConfigError('extension.options', this.#options, this.#file))
    if (this.#config.length > 0) errors.push(new ConfigError('config.invalid', this.#config, this.#file))
    const [first, ...others] = errors.map(advised)
    if (first === undefined) return
    if (others.length === 0) throw first
    const all = [first, ...others]
    const problems = all.flatMap((error) => problemsOf(error) ?? [problemOf(error, '')])
    const lines = all.flatMap((error) =>
      error instanceof ConfigError
        ? linesOf(error, this.#file)
        : [problemsOf(error)?.[0]?.path, messageOf(error)].filter(Boolean).join(': ')
    )
    throw new ConfigError('config.invalid', located(problems, this.#file), this.#file, [this.#file, ...lines])
  }
}

const problemOf = (error: RystraError, path: string): Problem => ({
  path,
  value: error.detail ?? error.message,
  expected: error.hint
})

const problemsOf = (error: RystraError): readonly Problem[] | undefined =>
  isRystraError(error) ? (error as { problems?: readonly Problem[] }).problems : undefined

/** With what to do, where that is of this error alone. */
const messageOf = ({ code, message, hint }: RystraError): string =>
  code === 'extension.not-found' ? `${message}; ${hint}` : message

/** The lines of an error, without the file that heads them. */
const linesOf = (error: ConfigError, file: string): string[] =>
  error.code === 'config.missing-variable'
    ? (error.detail ?? '')
        .split('\n  ')
        .slice(1)
        .map((line) => `missing environment variable ${line}`)
    : located(error.problems, file).map(formatProblem)
