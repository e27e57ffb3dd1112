import { type TResolved, resolved } from './schema.js'

const units = { '': 1, k: 1e3, M: 1e6, G: 1e9, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 } as const

const written = '^(0|[1-9][0-9]{0,11})(\\.[0-9]{1,3})?(k|M|G|Ki|Mi|Gi)?B?(/s)?$'
const pattern = new RegExp(written, 'i')
const expected = "a number of bytes, or text such as '500kB', '10MB', '1.5GiB', with or without '/s'"

/**
 * Bytes of `1000`, `'500kB'`, `'10MB/s'`, `'1.5GiB'`: units of 1000, or of 1024 with an `i`.
 * @throws RangeError that says what was expected
 */
export const parseBytes = (value: unknown): number => {
  if (typeof value === 'number' && value >= 1 && value <= Number.MAX_SAFE_INTEGER) return Math.round(value)
  const match = typeof value === 'string' ? pattern.exec(value) : null
  if (match === null) throw new RangeError(`expected ${expected}`)
  const [, whole, fraction = '', written = ''] = match
  const unit = Object.keys(units).find((name) => name.toLowerCase() === written.toLowerCase()) as keyof typeof units
  const bytes = Math.round(Number(`${whole}${fraction}`) * units[unit])
  if (bytes < 1) throw new RangeError(`expected ${expected}`)
  return bytes
}

/** Schema of a number of bytes, at least 1. */
export const bytesSchema = (description?: string): TResolved<number | string, number> =>
  resolved(
    expected,
    {
      anyOf: [
        { type: 'number', minimum: 1 },
        { type: 'string', pattern: written }
      ],
      ...(description === undefined ? {} : { description })
    },
    parseBytes
  )
