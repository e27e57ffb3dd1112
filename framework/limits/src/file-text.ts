/** How bytes are encoded that are not UTF-8, in words; `undefined` for bytes that may be. */
const otherEncoding = (bytes: Buffer): string | undefined => {
  const [first, second] = bytes
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) return 'it is UTF-16'
  if (!bytes.includes(0)) return undefined
  const zeros = bytes.subarray(0, 64).filter((byte) => byte === 0).length
  return zeros * 3 > Math.min(bytes.length, 64) ? 'it is UTF-16 without a byte order mark' : 'it holds a NUL byte'
}

/**
 * The text of a file as editors write it: UTF-8 with or without a byte order mark, lines ended by LF, CRLF or CR, which
 * become LF.
 * @throws an `Error` that says what the encoding is, and in which line
 */
export const fileText = (bytes: Buffer): string => {
  const encoding = otherEncoding(bytes)
  if (encoding !== undefined) throw new Error(`${encoding}; save it as UTF-8`)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replaceAll(/\r\n?/g, '\n')
  } catch {
    const lines = new TextDecoder().decode(bytes).split(/\r\n?|\n/)
    const line = lines.findIndex((text) => text.includes('\uFFFD')) + 1
    throw new Error(`line ${line} is not UTF-8, perhaps ISO 8859-1 or Windows-1252; save it as UTF-8`)
  }
}

/** Characters that cannot be seen, and quotes that word processors put in place of `"` and `'`. */
const copied = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|^[\u2018-\u201f\u00ab\u2039].*[\u2018-\u201f\u00bb\u203a]$/u

/**
 * A secret as it was meant: without white space around it, which editors and copying add.
 * @throws an `Error` for several lines, characters that cannot be seen, and typographic quotes around it
 */
export const plainSecret = (text: string): string => {
  const secret = text.trim()
  if (secret.includes('\n')) throw new Error('it has several lines, and one is expected')
  const [found] = copied.exec(secret) ?? []
  if (found === undefined) return secret
  if (found.length > 1) throw new Error('it is within typographic quotes: remove them')
  const code = found.codePointAt(0)?.toString(16).toUpperCase().padStart(4, '0')
  throw new Error(`it holds a character that cannot be seen (U+${code}): copy it again, or write it by hand`)
}
