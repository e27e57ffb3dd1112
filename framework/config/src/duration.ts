import { type TResolved, resolved } from './schema.js'

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Timers of Node fire at once beyond this, about 24.8 days; most durations become a timer somewhere. */
export const maxDuration = 2 ** 31 - 1

const written = '^(0|[1-9][0-9]{0,9})(\\.[0-9]{1,3})?(ms|s|m|h|d)$'
const pattern = new RegExp(written)
const expected = (least: number, most = maxDuration): string =>
  `a duration from ${least} ms to ${Math.floor(most / units.d)} days: milliseconds, or text such as '250ms', '30s', '15m', '2h', '1d'`

/**
 * Milliseconds of `250`, `'250ms'`, `'30s'`, `'15m'`, `'2h'`, `'1.5h'`, `'1d'`. Numbers are milliseconds, rounded.
 * @throws RangeError that says what was expected
 */
export const parseDuration = (value: unknown, most = maxDuration): number => {
  const ms = typeof value === 'string' ? ofString(value) : typeof value === 'number' ? Math.round(value) : Number.NaN
  if (!(ms >= 0 && ms <= most)) throw new RangeError(`expected ${expected(0, most)}`)
  return ms
}

const ofString = (value: string): number => {
  const match = pattern.exec(value)
  if (match === null) return Number.NaN
  const [, whole, fraction = '', unit] = match
  return Math.round(Number(`${whole}${fraction}`) * units[unit as keyof typeof units])
}

/** Schema of a duration; 0 only where `least` allows it, and more than {@link maxDuration} where `most` does. */
export const durationSchema = (
  least = 1,
  description?: string,
  most = maxDuration
): TResolved<number | string, number> =>
  resolved(
    expected(least, most),
    {
      anyOf: [
        { type: 'number', minimum: least, maximum: most },
        { type: 'string', pattern: written }
      ],
      ...(description === undefined ? {} : { description })
    },
    (value) => {
      try {
        const ms = parseDuration(value, most)
        if (ms >= least) return ms
      } catch {
        // The same words for both.
      }
      throw new RangeError(`expected ${expected(least, most)}`)
    }
  )
