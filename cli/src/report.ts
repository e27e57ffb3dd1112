import { isRystraError, RystraError, type Side } from '@rystra/model'

/** How an error is told. */
export interface ReportOptions {
  /** Text for people on stderr; one JSON document on stdout; or one line of JSON on stdout, where events are lines. */
  readonly format: 'text' | 'json' | 'line'
  /** Stack traces on stderr. */
  readonly debug: boolean
  /** The side that the command runs, when the error does not say which one failed. */
  readonly side?: Side | undefined
  /** `serve`, for example: where help is to be found. */
  readonly command?: string | undefined
}

/** What programs get to know of an error. */
export interface ReportedError {
  readonly code: string
  readonly message: string
  /** The message without the words that belong to the code. */
  readonly detail?: string
  readonly hint: string
  readonly exitCode: number
  readonly side?: Side
  readonly problems?: readonly unknown[]
}

/** What oclif's parser and its `error()` throw. */
interface OclifError extends Error {
  readonly oclif?: { readonly exit?: number }
}

/** What the system says of a disk that is full or read-only, and of missing rights. */
const fileErrors = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EISDIR', 'ENOTDIR', 'EIO'])

/** Any thrown value as one of ours: what the parser refuses is `usage.invalid`, any other error is `internal`. */
export const asRystraError = (error: unknown, command?: string): RystraError => {
  if (isRystraError(error)) return error
  if (error instanceof Error && (error as OclifError).oclif?.exit === 2) {
    const detail = error.message
      .replace(/^The following errors? occurred:\s*|\n?See more help with --help\s*$/g, '')
      // How the parser reads flags that may be repeated: it hides what is missing.
      .replace(/\n\nNote: [\s\S]*$/, '')
      .replace(/^Nonexistent flag/, 'unknown flag')
      .replace(/^Parsing (--\S+)\s+Expected (.*) but received: (.*)$/s, '$1: expected $2, got "$3"')
      .replace(/^Expected (\S+) to be one of: (.*)$/s, 'expected one of $2, got $1')
      .replace(/^Flag (--\S+) expects a value$/, '$1: expected a value')
      .trim()
    const hint = `see \`rystra ${command === undefined ? '' : `${command} `}--help\``
    return new RystraError('usage.invalid', { detail, hint, cause: error })
  }
  const detail = error instanceof Error ? error.message : String(error)
  if (fileErrors.has((error as NodeJS.ErrnoException | undefined)?.code ?? '')) {
    return new RystraError('file.failed', { detail, cause: error })
  }
  return new RystraError('internal', {
    detail,
    cause: error,
    hint: 'run it again with --debug, and report what it prints'
  })
}

const sideOf = (error: RystraError, side: Side | undefined): Side | undefined => error.side ?? side

/** What programs get to know of an error. */
export const errorJson = (thrown: unknown, side?: Side, command?: string): ReportedError => {
  const error = asRystraError(thrown, command)
  const at = sideOf(error, side)
  const { problems } = error as { problems?: readonly unknown[] }
  return {
    code: error.code,
    message: error.message,
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    hint: error.hint,
    exitCode: error.exitCode,
    ...(at === undefined ? {} : { side: at }),
    ...(problems === undefined ? {} : { problems })
  }
}

/** Tells an error, and returns what to exit with. */
export const report = async (thrown: unknown, { format, debug, side, command }: ReportOptions): Promise<number> => {
  // Loaded only where there is an error: it takes the packages that check configurations.
  const { advised } = await import('./advice.js')
  const error = advised(asRystraError(thrown, command))
  if (format === 'line') {
    process.stdout.write(`${JSON.stringify({ event: 'error', ...errorJson(error, side, command) })}\n`)
  } else if (format === 'json') {
    process.stdout.write(`${JSON.stringify({ error: errorJson(error, side, command) }, null, 2)}\n`)
  } else {
    const where = error.side === undefined && side !== undefined ? `${side}: ` : ''
    process.stderr.write(`Error: ${where}${error.message}\n  next: ${error.hint}\n  code: ${error.code}\n`)
  }
  if (debug) process.stderr.write(`${stackOf(error)}\n`)
  return error.exitCode
}

const stackOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}
