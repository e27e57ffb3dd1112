import { readBounded } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Where the token is kept that is made for a listener without configured tokens. */
export const keptTokenFile = (stateDir: string): string => path.join(stateDir, 'admin', 'token')

/** The kept token; `undefined` when it does not exist yet. What others could read is closed to them. */
const present = async (file: string): Promise<string | undefined> => {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) await chmod(file, 0o600)
    const token = (await readBounded(file, 1024)).bytes.toString().trim()
    return token.length >= 16 ? token : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Puts a new token there, whole. Of processes that do so at once, one wins, and all have its token. */
const make = async (file: string): Promise<string> => {
  const token = randomBytes(24).toString('base64url')
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
  await writeFile(draft, `${token}\n`, { mode: 0o600, flag: 'wx' })
  try {
    await link(draft, file)
    return token
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    const other = await present(file)
    if (other !== undefined) return other
    // What is there is no token.
    await rename(draft, file)
    return token
  } finally {
    await rm(draft, { force: true })
  }
}

/** The kept token; made and written, readable by the owner alone, when it does not exist. Rejects with `file.failed`. */
export const keptToken = async (stateDir: string): Promise<string> => {
  const file = keptTokenFile(stateDir)
  try {
    return (await present(file)) ?? (await make(file))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new RystraError('file.failed', {
      detail: `${file}: ${code ?? message}`,
      hint: 'make the state folder writable, or set `tokens` of admin-http',
      cause: error
    })
  }
}
