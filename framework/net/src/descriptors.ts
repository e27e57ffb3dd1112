import type { Socket } from 'node:net'

/**
 * The descriptor of a socket. POSIX gives the lowest number that is free, so it is also the least number of descriptors
 * in use. -1 for a socket without descriptor.
 */
export const descriptorOf = (socket: Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
