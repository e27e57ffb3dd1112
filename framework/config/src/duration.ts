import { durationOf, durationPattern } from '@rystra/limits'
import { Type } from '@rystra/model/schema'
import { type TResolved, resolved } from './schema.js'

const DAY_MS = 86_400_000

/** Timers of Node fire at once beyond this, about 24.8 days; most durations become a timer somewhere. */
export const maxDuration = 2 ** 31 - 1

/**
 * Milliseconds of `250`, `'250ms'`, `'30s'`, `'15m'`, `'2h'`, `'1.5h'`, `'1d'`. Numbers are milliseconds, rounded.
 * @throws RangeError that says what was expected
 */
export const parseDuration = (value: unknown, least = 0, most = maxDuration): number => {
  const ms = typeof value === 'string' ? textMs(value) : typeof value === 'number' ? Math.round(value) : Number.NaN
  if (ms >= least && ms <= most) return ms
  throw new RangeError(`expected ${expected(least, most)}`)
}

const textMs = (text: string): number => (new RegExp(durationPattern).test(text) ? durationOf(text) : Number.NaN)

const expected = (least: number, most: number): string =>
  `a duration from ${least} ms to ${Math.floor(most / DAY_MS)} days: milliseconds, or text such as '250ms', '30s', '15m', '2h', '1d'`

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
        { type: 'string', pattern: durationPattern }
      ],
      ...(description === undefined ? {} : { description })
    },
    (value) => parseDuration(value, least, most),
    Type.Number({ minimum: least, maximum: most })
  )
