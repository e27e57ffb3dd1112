import { RystraError } from '@rystra/plugin'

/** What the other side did wrong, as `ws` found. It is told so by the code that it is closed with. */
export const brokenRule = (error: Error & { code?: string }): RystraError => {
  const { code } = error
  const large = code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' || code === 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH'
  const detail = code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS' ? 'a message in too many pieces' : error.message
  return new RystraError(large ? 'protocol.too-large' : 'protocol.malformed', {
    detail: `WebSocket, ${detail}`,
    cause: error
  })
}

/** Codes of RFC 6455 §7.4.1 with which the other side says that this one broke a rule. */
const rules = new Set([1002, 1003, 1007, 1008])

/** What a stranger said, fit for a log: short and printable. */
export const printable = (text: string, length = 100): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, length)

/** Why a link that nobody ended is closed. */
export const closedBy = (code: number, reason: Buffer, cause: Error | undefined): Error => {
  // No close was said at all: cut off.
  if (code === 1006) return cause ?? new Error('the WebSocket was cut off')
  const why = reason.length === 0 ? '' : ` ${printable(String(reason))}`
  const detail = `the other side, or something in front of it, closed the WebSocket with ${code}${why}`
  if (code === 1009) return new RystraError('protocol.too-large', { detail })
  return new RystraError(rules.has(code) ? 'protocol.malformed' : 'mux.closed', { detail })
}
