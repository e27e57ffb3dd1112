import { RystraError } from '@rystra/model'

const byteUnits = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40
} as const
const timeUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Bytes, for the `pattern` of an option: `500kB`, `1.5GiB`, `10MB/s`. */
export const bytesPattern = '^(0|[1-9][0-9]{0,11})(\\.[0-9]{1,3})?([kKmMgGtT]i?)?[bB]?(/s)?$'

/** A duration, for the `pattern` of an option: `250ms`, `30s`, `15m`, `2h`, `1d`. */
export const durationPattern = '^(0|[1-9][0-9]{0,9})(\\.[0-9]{1,3})?(ms|s|m|h|d)$'

/** So many in a time, for the `pattern` of an option: `20/s`, `100/m`, `5000/h`. */
export const ratePattern = '^(0|[1-9][0-9]{0,8})(\\.[0-9]{1,3})?/(s|m|h|d)$'

const read = (pattern: string, text: string, what: string): RegExpExecArray => {
  const match = new RegExp(pattern).exec(text)
  if (match === null) throw new RystraError('config.invalid', { detail: `${JSON.stringify(text)} is not ${what}` })
  return match
}

/** Bytes of a text that {@link bytesPattern} fits: units of 1000, or of 1024 with an `i`. Throws `config.invalid`. */
export const bytesOf = (text: string): number => {
  const [, whole, fraction = '', unit = ''] = read(bytesPattern, text, 'a number of bytes')
  return Math.round(Number(`${whole}${fraction}`) * byteUnits[unit.toLowerCase() as keyof typeof byteUnits])
}

/** Milliseconds of a text that {@link durationPattern} fits. Throws `config.invalid`. */
export const durationOf = (text: string): number => {
  const [, whole, fraction = '', unit] = read(durationPattern, text, 'a duration')
  return Math.round(Number(`${whole}${fraction}`) * timeUnits[unit as keyof typeof timeUnits])
}

/** How many a second a text says that {@link ratePattern} fits. Throws `config.invalid`. */
export const rateOf = (text: string): number => {
  const [, whole, fraction = '', unit] = read(ratePattern, text, 'a rate')
  return (Number(`${whole}${fraction}`) * 1000) / timeUnits[unit as keyof typeof timeUnits]
}
