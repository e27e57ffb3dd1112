import type { Duplex } from 'node:stream'
import { loadNative } from './load.js'

/**
 * Limits the bytes that the kernel takes of a TCP socket, or of the one below a TLS socket, and has not sent yet
 * (`TCP_NOTSENT_LOWAT`, tcp(7)): they are in front of all that is written later. Whether it did: not without the native part, nor
 * for other streams.
 *
 * @param bytes 0 for the limit of the system, which has none by default
 */
export const limitUnsent = (stream: Duplex, bytes: number): boolean => {
  const fd = (stream as { _handle?: { fd?: unknown } | null })._handle?.fd
  return typeof fd === 'number' && fd >= 0 && loadNative()?.binding.limitUnsent(fd, bytes) === true
}
