import { RystraError, type StateFolder } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { takeLock } from './lock-file.js'

const filePattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/

/** The state folder of an instance. Touches nothing before it is used. */
export const stateFolder = (stateDir: string, extension: string): StateFolder =>
  // A name may have slashes: `@acme/hooks`.
  stateFiles(path.join(stateDir, 'extensions', encodeURIComponent(extension)), extension)

/**
 * Files in a folder that outlast the process. Touches nothing before it is used.
 *
 * @param owner whose they are, in errors
 */
export const stateFiles = (folder: string, owner: string): StateFolder => {
  const fail = (where: string, cause: unknown): never => {
    const { code, message } = cause as NodeJS.ErrnoException
    throw new RystraError('extension.state', { detail: `${owner}: ${where}: ${code ?? message}`, cause })
  }
  const at = (file: string): string => {
    if (filePattern.test(file)) return path.join(folder, file)
    throw new RystraError('extension.state', {
      detail: `${owner}: ${JSON.stringify(file)} is not a name for a file of state`,
      hint: 'a name has 1 to 128 letters, digits and . _ -, and begins with no dot'
    })
  }
  const make = async (): Promise<string> => {
    await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error) => fail(folder, error))
    return folder
  }
  return Object.freeze({
    path: folder,
    make,
    read: async (file: string) => {
      const where = at(file)
      return readFile(where).catch((error) => (error.code === 'ENOENT' ? undefined : fail(where, error)))
    },
    write: async (file: string, content: string | Uint8Array) => {
      const where = at(file)
      await make()
      const written = path.join(folder, `.${file}.${randomBytes(6).toString('hex')}`)
      try {
        const handle = await open(written, 'wx', 0o600)
        try {
          await handle.writeFile(content)
          await handle.sync()
        } finally {
          await handle.close()
        }
        await rename(written, where)
      } catch (error) {
        await rm(written, { force: true }).catch(() => {})
        fail(where, error)
      }
    },
    lock: async (file: string, ms: number) => {
      const where = at(file)
      await make()
      return takeLock(where, ms).catch((error) => fail(where, error))
    },
    remove: async (file: string) => {
      const where = at(file)
      await rm(where, { force: true }).catch((error) => fail(where, error))
    }
  })
}
