import { isPlain, type Logger, type LogMethod, redacted, secretTexts, silentLog, type TSchema } from '@rystra/plugin'

type Level = Exclude<keyof Logger, 'child'>

/** Depth to which fields are looked through. */
const MAX_DEPTH = 5

/** The log of an extension without what its options mark as secret, wherever in a line it stands. */
export const secretLog = (log: Logger, schema: TSchema | undefined, options: unknown): Logger => {
  const secrets = secretTexts(schema, options)
  return secrets.length === 0 ? log : withoutSecrets(log, () => secrets)
}

interface HasSecrets {
  readonly instances: readonly { readonly secrets: readonly string[] }[]
}

/** Makes a log that leaves out the secrets of all instances that are there when a line is written. */
export const secretLogOf =
  (generations: Iterable<HasSecrets>) =>
  (log: Logger): Logger =>
    withoutSecrets(log, () => [...generations].flatMap(({ instances }) => instances.flatMap(({ secrets }) => secrets)))

/** A log without these texts, which are asked for with each line. */
export const withoutSecrets = (log: Logger, secretsNow: () => readonly string[]): Logger =>
  // It writes nothing, with or without.
  log === silentLog ? log : new CleanLog(log, secretsNow)

/**
 * A class: each extension of each end has one, and ten closures of its own would be 1 KiB. Its methods are made where they are
 * used, since an extension may pass one on without the log: `stream.on('error', log.warn)`.
 */
class CleanLog implements Logger {
  readonly #log: Logger
  readonly #secretsNow: () => readonly string[]

  constructor(log: Logger, secretsNow: () => readonly string[]) {
    this.#log = log
    this.#secretsNow = secretsNow
  }

  get trace(): LogMethod {
    return this.#method('trace')
  }

  get debug(): LogMethod {
    return this.#method('debug')
  }

  get info(): LogMethod {
    return this.#method('info')
  }

  get warn(): LogMethod {
    return this.#method('warn')
  }

  get error(): LogMethod {
    return this.#method('error')
  }

  get child(): Logger['child'] {
    return (fields) => {
      const scrubbed = scrub(fields, this.#secretsNow(), 0) as typeof fields
      return withoutSecrets(this.#log.child(scrubbed), this.#secretsNow)
    }
  }

  #method(level: Level): LogMethod {
    return (first: string | object, message?: string) => this.#write(level, first, message)
  }

  #write(level: Level, first: string | object, message: string | undefined): void {
    const secrets = this.#secretsNow()
    const log = this.#log
    if (secrets.length === 0) log[level](first as object, message as string)
    else if (typeof first === 'string') log[level](clean(first, secrets))
    else log[level](scrub(first, secrets, 0) as object, message === undefined ? '' : clean(message, secrets))
  }
}

const clean = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((left, secret) => (left.includes(secret) ? left.replaceAll(secret, redacted) : left), text)

const scrub = (value: unknown, secrets: readonly string[], depth: number): unknown => {
  if (typeof value === 'string') return clean(value, secrets)
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item) => scrub(item, secrets, depth + 1))
  if (value instanceof Error) return cleanError(value, secrets)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, scrub(item, secrets, depth + 1)]))
}

/** The error itself, or one of its kind where a secret stands in it. */
const cleanError = (error: Error, secrets: readonly string[]): Error => {
  const { message, stack = '' } = error
  const [shown, trace] = [clean(message, secrets), clean(stack, secrets)]
  if (shown === message && trace === stack) return error
  return Object.create(error, { message: { value: shown }, stack: { value: trace } })
}
