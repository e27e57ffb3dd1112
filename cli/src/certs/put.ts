import { RystraError } from '@rystra/model'
import { randomBytes } from 'node:crypto'
import { link, lstat, mkdir, open, readFile, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'

/** A file that is to be written. */
export interface File {
  readonly name: string
  readonly text: string
  /** Keys: readable by the owner only. */
  readonly secret: boolean
}

interface Prepared {
  readonly path: string
  readonly temp: string
  readonly mode: number
}

const exists = async (path: string): Promise<boolean> => {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

const taken = (paths: readonly string[]): RystraError => new RystraError('cert.exists', { detail: paths.join(', ') })

/** Written whole, and on the disk, with its mode from the first moment on. */
const write = async (path: string, text: string | Uint8Array, mode: number): Promise<void> => {
  const handle = await open(path, 'wx', mode)
  try {
    // What the umask took away from a certificate is given back; a key has no more than its owner's rights to begin with.
    await handle.chmod(mode)
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const freshName = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`

/** Puts a finished file in its place, and nothing of what is there at risk unless `force` is set. Returns the way back. */
const settle = async ({ path, temp, mode }: Prepared, force: boolean): Promise<() => Promise<void>> => {
  if (!force) {
    try {
      // Unlike a rename, it fails where another process was faster.
      await link(temp, path)
      await unlink(temp)
      return () => unlink(path)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') throw taken([path])
      // Some file systems have no links.
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error
      if (await exists(path)) throw taken([path])
    }
  }
  const before = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  await rename(temp, path)
  return async () => {
    if (before === undefined) return unlink(path)
    const back = freshName(path)
    await write(back, before, mode)
    await rename(back, path)
  }
}

/**
 * Writes files that belong together: all of them, or none. Keys get the mode 600, others 644; a folder that is not there
 * is made with 700. Returns the paths.
 *
 * @param force replaces what is there, each file in one step
 * @throws cert.exists
 */
export const putFiles = async (dir: string, files: readonly File[], force: boolean): Promise<string[]> => {
  const prepared = files.map(({ name, secret }): Prepared => {
    const path = join(dir, name)
    return { path, temp: freshName(path), mode: secret ? 0o600 : 0o644 }
  })
  await refuseTaken(dir, files, force)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const undo: (() => Promise<void>)[] = []
  try {
    for (const [index, { temp, mode }] of prepared.entries()) await write(temp, files[index]?.text ?? '', mode)
    for (const one of prepared) undo.push(await settle(one, force))
  } catch (error) {
    for (const back of undo.reverse()) await back()
    throw error
  } finally {
    for (const { temp } of prepared) await rm(temp, { force: true })
  }
  return prepared.map(({ path }) => path)
}

/** Before keys are made, which takes its time. Rejects with `cert.exists`. */
export const refuseTaken = async (dir: string, files: readonly { name: string }[], force: boolean): Promise<void> => {
  if (force) return
  const found: string[] = []
  for (const { name } of files) if (await exists(join(dir, name))) found.push(join(dir, name))
  if (found.length > 0) throw taken(found)
}
