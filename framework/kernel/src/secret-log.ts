import { isPlain, type LogMethod, type Logger, redacted, secretTexts, type TSchema } from '@rystra/plugin'

const levels = ['trace', 'debug', 'info', 'warn', 'error'] as const

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
export const withoutSecrets = (log: Logger, secretsNow: () => readonly string[]): Logger => {
  let secrets: readonly string[] = []
  const clean = (text: string): string =>
    secrets.reduce((left, secret) => (left.includes(secret) ? left.replaceAll(secret, redacted) : left), text)
  const scrub = (value: unknown, depth: number): unknown => {
    if (typeof value === 'string') return clean(value)
    if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item) => scrub(item, depth + 1))
    if (value instanceof Error) return cleanError(value)
    if (!isPlain(value)) return value
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, scrub(item, depth + 1)]))
  }
  /** The error itself, or one of its kind where a secret stands in it. */
  const cleanError = (error: Error): Error => {
    const { message, stack = '' } = error
    const [shown, trace] = [clean(message), clean(stack)]
    if (shown === message && trace === stack) return error
    return Object.create(error, { message: { value: shown }, stack: { value: trace } })
  }
  const method =
    (level: (typeof levels)[number]): LogMethod =>
    (first: string | object, message?: string) => {
      secrets = secretsNow()
      if (secrets.length === 0) log[level](first as object, message as string)
      else if (typeof first === 'string') log[level](clean(first))
      else log[level](scrub(first, 0) as object, message === undefined ? '' : clean(message))
    }
  return {
    ...(Object.fromEntries(levels.map((level) => [level, method(level)])) as Record<
      (typeof levels)[number],
      LogMethod
    >),
    child: (fields) => {
      secrets = secretsNow()
      return withoutSecrets(log.child(scrub(fields, 0) as typeof fields), secretsNow)
    }
  }
}
