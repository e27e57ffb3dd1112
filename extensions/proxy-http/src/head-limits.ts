/** Bytes that HTTP/2 counts for a field beside its name and value, RFC 9113 §6.5.2. */
const FIELD_OVERHEAD_BYTES = 32

/**
 * Limits of heads for `node:http2`. A head above them is a stream error without an answer, so they are above the limits
 * of the proxy: a head in between is answered with 431, or 502 where a service sent it.
 */
export const headLimits = (maxHeadSize: number) => {
  const maxHeaderListSize = 2 * maxHeadSize + 65_536
  return {
    settings: { maxHeaderListSize },
    maxHeaderListPairs: Math.ceil(maxHeaderListSize / FIELD_OVERHEAD_BYTES),
    // Of heads that are sent. The default, 64 KiB, would reset streams with heads that the other limits let pass.
    maxSendHeaderBlockLength: maxHeaderListSize
  }
}

/** Bytes of a head as HTTP/2 counts them. */
export const headSize = (rawHeaders: readonly string[]): number => {
  let size = 0
  for (const text of rawHeaders) size += text.length
  return size + (rawHeaders.length / 2) * FIELD_OVERHEAD_BYTES
}

/** Longest value of a field over HTTP/2: nghttp2, in Node, curl and others, ends the connection at a longer one, with all its requests. */
export const MAX_H2_VALUE_BYTES = 65_536

export const hasLongValue = (texts: Iterable<string>): boolean => {
  for (const text of texts) if (text.length > MAX_H2_VALUE_BYTES) return true
  return false
}
