export { bytes as bytesText, duration as timeText } from '@rystra/admin-http/format'

/** Refusals by code: `2 (auth.refused 2)`; `0` without any. */
export const refusedText = (counts: Readonly<Record<string, number>>): string => {
  const entries = Object.entries(counts).sort(([, a], [, b]) => b - a)
  const sum = entries.reduce((all, [, count]) => all + count, 0)
  return sum === 0 ? '0' : `${sum} (${entries.map(([code, count]) => `${code} ${count}`).join(', ')})`
}

/** What a peer named: without characters that a terminal interprets. */
export const plainText = (text: string): string => text.replace(/\p{C}/gu, '\ufffd')
