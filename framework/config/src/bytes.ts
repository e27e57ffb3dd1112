import { bytesOf, bytesPattern } from '@rystra/limits'
import { Type } from '@rystra/model/schema'
import { type TResolved, resolved } from './schema.js'

const expected = "a number of bytes, or text such as '500kB', '10MB', '1.5GiB', with or without '/s'"
const final = Type.Number({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

/** Bytes of `1000`, `'500kB'`, `'10MB/s'`, `'1.5GiB'`: units of 1000, or of 1024 with an `i`. */
const parseBytes = (value: unknown): number => {
  const bytes = typeof value === 'string' ? textBytes(value) : typeof value === 'number' ? Math.round(value) : 0
  if (bytes >= 1 && bytes <= Number.MAX_SAFE_INTEGER) return bytes
  throw new RangeError(`expected ${expected}`)
}

const textBytes = (text: string): number => (new RegExp(bytesPattern).test(text) ? bytesOf(text) : 0)

/** Schema of a number of bytes, at least 1. */
export const bytesSchema = (description?: string): TResolved<number | string, number> =>
  resolved(
    expected,
    {
      anyOf: [
        { type: 'number', minimum: 1 },
        { type: 'string', pattern: bytesPattern }
      ],
      ...(description === undefined ? {} : { description })
    },
    parseBytes,
    final
  )
