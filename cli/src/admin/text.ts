/** Bytes for people: `1.5 MB`. */
export const bytesText = (bytes: number): string => {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** Milliseconds for people: `3 h 12 min`. */
export const timeText = (milliseconds: number): string => {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Refusals by code: `2 (auth.refused 2)`; `0` without any. */
export const refusedText = (counts: Readonly<Record<string, number>>): string => {
  const entries = Object.entries(counts).sort(([, a], [, b]) => b - a)
  const sum = entries.reduce((all, [, count]) => all + count, 0)
  return sum === 0 ? '0' : `${sum} (${entries.map(([code, count]) => `${code} ${count}`).join(', ')})`
}

/** What a peer named: without characters that a terminal interprets. */
export const plainText = (text: string): string => text.replace(/\p{C}/gu, '\ufffd')
