import { RystraError } from '@rystra/model'

/** The major version that this code speaks. Only the preface carries it. */
const MAJOR = 1
/** The highest minor version that this code speaks. */
export const MINOR = 0

/** The first bytes of every link, from the end that dialed it: `RYS` and the major version. Not to be written to. */
export const preface: Uint8Array = Uint8Array.of(0x52, 0x59, 0x53, MAJOR)

/**
 * Compares bytes with the preface as they come.
 * @param matched How many bytes of it came before: 0 at first, then the last answer.
 * @returns How many have come now. The preface is whole at 4 (`preface.length`); bytes behind it are not looked at.
 * @throws `protocol.not-rystra` at the first byte that is wrong, `protocol.version` when only the major version is.
 */
export const checkPreface = (matched: number, buffer: Uint8Array, start = 0, end: number = buffer.length): number => {
  let count = matched
  for (let at = start; at < end && count < preface.length; at++, count++) {
    if (buffer[at] === preface[count]) continue
    if (count < preface.length - 1) throw new RystraError('protocol.not-rystra')
    throw new RystraError('protocol.version', { detail: `${buffer[at]}, expected ${MAJOR}` })
  }
  return count
}
