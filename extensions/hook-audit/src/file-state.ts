import type { Stats } from 'node:fs'
import { open, stat } from 'node:fs/promises'

/** The state of a file. */
export interface FileState {
  /** Identifies the file. */
  readonly inode: string
  readonly size: number
}

export const stateOf = ({ dev, ino, size }: Pick<Stats, 'dev' | 'ino' | 'size'>): FileState => ({
  inode: `${dev}:${ino}`,
  size
})

/** `undefined` if the file does not exist. */
export const fileState = async (file: string): Promise<FileState | undefined> => {
  try {
    return stateOf(await stat(file))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Whether the last line is incomplete: the process was killed, or the disk was full. */
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
