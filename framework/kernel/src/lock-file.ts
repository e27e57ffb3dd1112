import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

const isOlder = async (file: string, ms: number): Promise<boolean> => Date.now() - (await stat(file)).mtimeMs > ms

/** Takes what a crash has left out of the way; a lock that was taken meanwhile is put back. */
const removeLeft = async (file: string, ms: number): Promise<void> => {
  const aside = `${file}.${randomBytes(6).toString('hex')}`
  await rename(file, aside)
  if (!(await isOlder(aside, ms))) await link(aside, file).catch(() => {})
  await rm(aside, { force: true })
}

/** Takes a lock by making its file. `undefined` while another one has it that is not older than `ms` milliseconds. */
export const takeLock = async (file: string, ms: number): Promise<(() => Promise<void>) | undefined> => {
  const token = `${process.pid} ${randomBytes(12).toString('hex')}\n`
  for (const isLast of [false, true]) {
    try {
      const handle = await open(file, 'wx', 0o600)
      try {
        await handle.writeFile(token)
      } catch (error) {
        await rm(file, { force: true }).catch(() => {})
        throw error
      } finally {
        await handle.close()
      }
      return async () => {
        const present = await readFile(file, 'utf8').catch(() => undefined)
        if (present === token) await rm(file, { force: true }).catch(() => {})
      }
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
    try {
      if (isLast || !(await isOlder(file, ms))) return undefined
      await removeLeft(file, ms)
    } catch (error) {
      // It was released meanwhile.
      if (codeOf(error) !== 'ENOENT') throw error
    }
  }
  return undefined
}
