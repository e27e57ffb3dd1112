import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'

/** Opening a named pipe without a writer waits for one otherwise. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

const CHUNK_BYTES = 64 * 1024

const kindOf = (stats: Stats): string | undefined => {
  if (stats.isFile()) return undefined
  if (stats.isDirectory()) return 'folder'
  if (stats.isFIFO()) return 'named pipe'
  return stats.isSocket() ? 'socket' : 'device'
}

/** @throws an error with the code `EISDIR` for a folder, and `ENOTSUP` for what else is no file */
const throwUnlessFile = (stats: Stats): void => {
  const kind = kindOf(stats)
  if (kind === undefined) return
  throw Object.assign(new Error(`expected a file, got a ${kind}`), { code: kind === 'folder' ? 'EISDIR' : 'ENOTSUP' })
}

const tooLarge = (max: number): Error => Object.assign(new Error(`larger than ${max} bytes`), { code: 'EFBIG' })

/** A file with its state at the time it was read. */
export interface BoundedFile {
  readonly bytes: Buffer
  readonly stats: Stats
}

/**
 * Reads a file of a bounded size, and nothing else: a named pipe would be waited for, and a device has no end.
 * @param max Bytes, at most.
 * @throws what the system reports; an error with the code `EISDIR` or `ENOTSUP` for what is no file, and `EFBIG` for a larger file
 */
export const readBounded = async (path: string, max: number): Promise<BoundedFile> => {
  const handle = await open(path, FLAGS)
  try {
    const stats = await handle.stat()
    throwUnlessFile(stats)
    if (stats.size > max) throw tooLarge(max)
    const chunks: Buffer[] = []
    for (let length = 0; ; ) {
      // One byte more than the limit shows that the file has grown.
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, max + 1 - length))
      const { bytesRead } = await handle.read(chunk, 0, chunk.length)
      if (bytesRead === 0) return { bytes: Buffer.concat(chunks), stats }
      length += bytesRead
      if (length > max) throw tooLarge(max)
      chunks.push(chunk.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
}

/** As {@link readBounded}, at once. */
export const readBoundedSync = (path: string, max: number): Buffer => {
  const file = openSync(path, FLAGS)
  try {
    const stats = fstatSync(file)
    throwUnlessFile(stats)
    if (stats.size > max) throw tooLarge(max)
    const chunks: Buffer[] = []
    // The size is no end: files of /proc have none, and a file may grow.
    for (let length = 0; ; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, max + 1 - length))
      const bytesRead = readSync(file, chunk, 0, chunk.length, null)
      if (bytesRead === 0) return Buffer.concat(chunks)
      length += bytesRead
      if (length > max) throw tooLarge(max)
      chunks.push(chunk.subarray(0, bytesRead))
    }
  } finally {
    closeSync(file)
  }
}
