import type { RystraConfig } from '@rystra/config'
import { type Logger, redacted, silentLog } from '@rystra/model'
import type { LogLevel } from '@rystra/plugin'
import { pino } from 'pino'
import { LineOutput } from './line-output.js'
import { type LevelLog, levelLog } from './log-level.js'
import type { RecentLines } from './recent-lines.js'

/** How the command logs. */
export interface LogOptions {
  /** `log` of the configuration. */
  readonly config?: RystraConfig['log'] | undefined
  /** Used when the configuration names none. */
  readonly level?: string | undefined
  /** Everything, whatever the configuration says. */
  readonly debug?: boolean
  /** Whether events are told to people elsewhere, so that the log repeats none. */
  readonly reported?: boolean
  /** Keeps the last lines, for reports. @default they are not kept */
  readonly recent?: RecentLines | undefined
}

/** Whether events are told as sentences instead of log lines: to people at a terminal who configured no log. */
export const reportedOnTerminal = (config: RystraConfig['log']): boolean =>
  process.stdout.isTTY && process.stderr.isTTY && config?.pretty === undefined && (config?.level ?? 'info') === 'info'

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

/**
 * Logs go to stderr: JSON lines, or coloured ones on a terminal. What is called a secret is redacted. Logging never
 * throws: lines that cannot be written are counted, and the count is logged later.
 */
export const createLog = async ({
  config,
  level,
  debug = false,
  reported = false,
  recent
}: LogOptions): Promise<LevelLog> => {
  const pretty = config?.pretty ?? process.stderr.isTTY === true
  const format = pretty ? await prettyFormat() : (line: string): string => line
  const output = new LineOutput(process.stderr, {
    lostLine: (lost, reason) =>
      format(
        `${JSON.stringify({ level: 40, time: Date.now(), lost, reason, msg: 'log lines could not be written' })}\n`
      )
  })
  const options = {
    level: 'trace',
    base: null,
    serializers: { err: errorFields(debug) },
    redact: { paths: redactPaths, censor: redacted }
  }
  const write = (line: string): void => {
    recent?.add(line)
    output.write(format(line))
  }
  const log = pino(options, { write }) as unknown as Logger
  const wanted = debug ? 'trace' : (level ?? config?.level ?? 'info')
  return levelLog(reported && !debug ? extensionsOnly(log) : log, wanted as LogLevel)
}

const prettyFormat = async (): Promise<(line: string) => string> => {
  const { prettyFactory } = await import('pino-pretty')
  return prettyFactory({
    colorize: process.stderr.isTTY === true,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true
  }) as (line: string) => string
}

/** Drops warnings of the framework, whose events are told on the terminal; keeps its errors and all of extensions. */
const extensionsOnly = (log: Logger): Logger => ({
  ...silentLog,
  error: log.error.bind(log),
  child: (fields) => ('extension' in fields ? log.child(fields) : extensionsOnly(log.child(fields)))
})
