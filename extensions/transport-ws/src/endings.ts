import { RystraError } from '@rystra/plugin'

/** Codes of RFC 6455 §7.4.1 with which the other side says that this one broke a rule. */
const rules = new Set([1002, 1003, 1007, 1008])

/** What a stranger said, fit for a log: short and printable. */
export const printable = (text: string, length = 100): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, length)

/** What came after the end of a direction. */
export const afterEnd = (): RystraError =>
  new RystraError('protocol.unexpected', { detail: 'WebSocket, a message after the end' })

/** Why a link that nobody ended is closed. */
export const closedBy = (code: number, reason: Buffer, cause: Error | undefined): Error => {
  // No close was said at all: cut off.
  if (code === 1006) return cause ?? new Error('the WebSocket was cut off')
  const why = reason.length === 0 ? '' : ` ${printable(String(reason))}`
  const detail = `the other side, or something in front of it, closed the WebSocket with ${code}${why}`
  if (code === 1009) return new RystraError('protocol.too-large', { detail })
  return new RystraError(rules.has(code) ? 'protocol.malformed' : 'mux.closed', { detail })
}
