import { elementsOf } from './der.js'

const UTC_TIME = 0x17
const GENERALIZED_TIME = 0x18

const timeOf = (text: string): number => {
  const [, year = '', month, day, hour, minute, second] =
    /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? []
  // RFC 5280 §4.1.2.5.1
  const century = year.length === 4 ? '' : Number(year) < 50 ? '20' : '19'
  return Date.parse(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** When a revocation list (PEM, RFC 5280 §5.1) ends: from then on nobody is let in by it. `undefined`: it does not, or is not readable. */
export const crlEnds = (pem: string): number | undefined => {
  try {
    const der = Buffer.from(pem.replaceAll(/-----[^-]*-----/g, ''), 'base64')
    const [list] = elementsOf(der)
    const [signed] = elementsOf(list?.content ?? Buffer.alloc(0))
    const times = elementsOf(signed?.content ?? Buffer.alloc(0)).filter(
      ({ tag }) => tag === UTC_TIME || tag === GENERALIZED_TIME
    )
    const end = times[1] === undefined ? Number.NaN : timeOf(times[1].content.toString('latin1'))
    return Number.isNaN(end) ? undefined : end
  } catch {
    return undefined
  }
}
