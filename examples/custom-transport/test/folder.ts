import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** A folder for sockets, which is removed when the process ends. Short: so is the path of a socket. */
export const folder = (): string => {
  const made = mkdtempSync(path.join(tmpdir(), 'rystra-'))
  process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  return made
}
