import { readBounded } from '@rystra/limits'
import { chmod, link, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freshToken } from '../init/token.js'

/**
 * The token of servers without a configuration, made at the first start and kept, as the certificate is: clients that
 * know it come back after a restart. `kept` is false where it cannot be written.
 */
export const keptToken = async (dir: string): Promise<{ token: string; kept: boolean }> => {
  const file = join(dir, 'token')
  const read = async (): Promise<string> => (await readBounded(file, 1024)).bytes.toString().trim()
  const token = freshToken()
  const temporary = `${file}.${process.pid}`
  try {
    const present = await read().catch(() => '')
    if (present !== '') return { token: present, kept: true }
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await writeFile(temporary, `${token}\n`, { mode: 0o600 })
    await chmod(temporary, 0o600)
    // Of two servers that start at once, the first to link its file wins.
    await link(temporary, file).catch(() => {})
    const winner = await read()
    // An empty file, of a disk that was full say, is no token.
    if (winner === '') await rename(temporary, file)
    return { token: winner === '' ? token : winner, kept: true }
  } catch {
    return { token, kept: false }
  } finally {
    await rm(temporary, { force: true }).catch(() => {})
  }
}
