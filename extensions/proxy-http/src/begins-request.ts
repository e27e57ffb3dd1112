const SPACE = 0x20

/** No method that is in use is longer. */
const LONGEST = 20

/** Whether bytes begin as a request line of HTTP/1 does, or as the preface of HTTP/2; `undefined` while that is not clear. */
export const beginsRequest = (head: Buffer): boolean | undefined => {
  for (const [index, byte] of head.subarray(0, LONGEST).entries()) {
    if (byte === SPACE) return index > 0
    if (byte < 0x41 || byte > 0x5a) return false
  }
  return head.length < LONGEST ? undefined : false
}
