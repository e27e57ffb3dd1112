import { watch } from 'node:fs'
import path from 'node:path'

/** Milliseconds of silence before a changed file is read: editors write in several steps. */
const SETTLE_MS = 200

/**
 * Calls `changed` some time after a file was written, or put in place of the one before. Watches its folder: editors write
 * a new file and rename it.
 *
 * @returns what ends it
 */
export const watchFile = (file: string, changed: () => void, failed: (error: Error) => void): (() => void) => {
  let timer: NodeJS.Timeout | undefined
  const watcher = watch(path.dirname(file), (_event, name) => {
    if (name !== null && name !== path.basename(file)) return
    clearTimeout(timer)
    timer = setTimeout(changed, SETTLE_MS).unref()
  })
  watcher.on('error', failed)
  return () => {
    clearTimeout(timer)
    watcher.close()
  }
}
