import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

/** Descriptors kept free for connections to services, files and data links, as a share of the limit. */
const RESERVED_SHARE = 1 / 16

/** The soft limit of open files of this process. `undefined` where the system does not say. */
const openFilesLimit = (): number | undefined => {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    if (soft !== undefined) return Number(soft)
  } catch {
    // Not Linux: the report of Node has it too, at a higher cost.
  }
  const { userLimits } = process.report.getReport() as unknown as {
    userLimits?: { open_files?: { soft: number | string } }
  }
  const soft = Number(userLimits?.open_files?.soft)
  return Number.isSafeInteger(soft) ? soft : undefined
}

/** The highest descriptor that an accepted connection may have; unlimited where no limit is known. */
export const maxDescriptor = (): number => {
  const limit = openFilesLimit()
  return limit === undefined ? Number.POSITIVE_INFINITY : limit - Math.max(16, Math.floor(limit * RESERVED_SHARE))
}

/**
 * The descriptor of a socket. POSIX gives the lowest number that is free, so it is also the least number of descriptors
 * in use. -1 for a socket without descriptor.
 */
export const descriptorOf = (socket: Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
