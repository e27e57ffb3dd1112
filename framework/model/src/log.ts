/** One level of {@link Logger}: a sentence, or fields and a sentence. */
export interface LogMethod {
  (message: string): void
  (fields: object, message: string): void
}

/** What the framework and its extensions log with. pino fits it as it is. */
export interface Logger {
  readonly trace: LogMethod
  readonly debug: LogMethod
  readonly info: LogMethod
  readonly warn: LogMethod
  readonly error: LogMethod
  child(fields: Record<string, unknown>): Logger
}

const ignore = (): void => {}

/** Says nothing. */
export const silentLog: Logger = {
  trace: ignore,
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLog
}
