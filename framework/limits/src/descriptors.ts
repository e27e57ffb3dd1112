import { readFileSync } from 'node:fs'

/** Descriptors kept free for other purposes, such as files and data links, as a share of the limit. */
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

/** The highest descriptor that connections of peers may have; unlimited where no limit is known. */
export const maxDescriptor = (): number => {
  const limit = openFilesLimit()
  return limit === undefined ? Number.POSITIVE_INFINITY : limit - Math.max(16, Math.floor(limit * RESERVED_SHARE))
}
