import { RystraError } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** Where the token is kept that is made for a listener without configured tokens. */
export const keptTokenFile = (stateDir: string): string => path.join(stateDir, 'admin', 'token')

/** The kept token; made and written, readable by the owner alone, when it does not exist. Rejects with `file.failed`. */
export const keptToken = async (stateDir: string): Promise<string> => {
  const file = keptTokenFile(stateDir)
  try {
    const present = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return ''
      throw error
    })
    if (present.trim().length >= 16) return present.trim()
    const token = randomBytes(24).toString('base64url')
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(file, `${token}\n`, { mode: 0o600 })
    // The mode counts for a new file only.
    await chmod(file, 0o600)
    return token
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new RystraError('file.failed', {
      detail: `admin-http: ${file}: ${code ?? message}`,
      hint: 'make the state folder writable, or set `tokens` of admin-http',
      cause: error
    })
  }
}
