import type { RystraConfig } from '@rystra/config'
import type { Logger } from '@rystra/model'
import { pino } from 'pino'

/** How the command logs. */
export interface LogOptions {
  /** `log` of the configuration. */
  readonly config?: RystraConfig['log'] | undefined
  /** Used when the configuration names none. */
  readonly level?: string | undefined
  /** Everything, whatever the configuration says. */
  readonly debug?: boolean
}

const secrets = ['token', 'secret', 'password', 'proof', 'authorization', 'key', 'credentials']

/** Paths of pino's redaction: at the top, one level down, and in options. */
const redactPaths = secrets.flatMap((name) => [
  name,
  `*.${name}`,
  `options.${name}`,
  `options.*.${name}`,
  `*.*.${name}`
])

interface LoggedError {
  readonly message: string
  readonly code?: string
  readonly stack?: string
}

/** An error for the log: what it says and its code; where it comes from only when everything is logged. */
const errorFields =
  (debug: boolean) =>
  (error: unknown): unknown => {
    if (!(error instanceof Error)) return error
    const { message, code, stack } = error as LoggedError
    return { message, ...(code === undefined ? {} : { code }), ...(debug ? { stack } : {}) }
  }

/** Logs go to stderr: JSON lines, or coloured ones on a terminal. What is called a secret is redacted. */
export const createLog = async ({ config, level, debug = false }: LogOptions): Promise<Logger> => {
  const options = {
    level: debug ? 'trace' : (level ?? config?.level ?? 'info'),
    base: null,
    serializers: { err: errorFields(debug) },
    redact: { paths: redactPaths, censor: '[redacted]' }
  }
  const pretty = config?.pretty ?? process.stderr.isTTY === true
  if (!pretty) return pino(options, pino.destination({ dest: 2, sync: true })) as unknown as Logger
  const { default: prettyStream } = await import('pino-pretty')
  const stream = prettyStream({
    destination: 2,
    sync: true,
    colorize: process.stderr.isTTY === true,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true
  })
  return pino(options, stream) as unknown as Logger
}
