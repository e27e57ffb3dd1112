import { createHash } from 'node:crypto'
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** A new empty folder, gone after the test that asked for it. */
export const tempFolder = (): string => realpathSync(mkdtempSync(join(tmpdir(), 'rystra-cli-')))

/** Folders of one suite. Call `clean` after each test. */
export class Folders {
  readonly #dirs: string[] = []

  make(files: Readonly<Record<string, string>> = {}): string {
    const dir = tempFolder()
    this.#dirs.push(dir)
    write(dir, files)
    return dir
  }

  clean(): void {
    for (const dir of this.#dirs.splice(0)) rmSync(dir, { recursive: true, force: true })
  }
}

/** Writes files, by their paths within a folder. */
export const write = (dir: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, name)), { recursive: true })
    writeFileSync(join(dir, name), text)
  }
}

/** Everything in a folder: content of files, targets of links, modes. Two of them are equal when nothing changed. */
export const snapshot = (dir: string, prefix = ''): Record<string, string> => {
  const found: Record<string, string> = {}
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name)
    const stats = lstatSync(path)
    const key = `${prefix}${name}`
    if (stats.isSymbolicLink()) found[key] = `→ ${readlinkSync(path)}`
    else if (stats.isDirectory()) Object.assign(found, { [`${key}/`]: 'folder' }, snapshot(path, `${key}/`))
    else
      found[key] =
        `${(stats.mode & 0o777).toString(8)} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`
  }
  return found
}
