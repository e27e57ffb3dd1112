import { open, stat } from 'node:fs/promises'

/** A file as it was when it was looked at. */
export interface Seen {
  /** Tells it from another file at the same path. */
  readonly inode: string
  readonly size: number
}

/** `undefined` where there is none. */
export const look = async (file: string): Promise<Seen | undefined> => {
  try {
    const { dev, ino, size } = await stat(file)
    return { inode: `${dev}:${ino}`, size }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether the last line of a file was not written to its end: by a process that was killed, or on a full disk. */
export const isTorn = async (file: string): Promise<boolean> => {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    if (size === 0) return false
    const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1)
    return buffer[0] !== 0x0a
  } finally {
    await handle.close()
  }
}
