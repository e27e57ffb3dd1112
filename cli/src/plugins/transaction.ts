import { RystraError } from '@rystra/model'
import { constants } from 'node:fs'
import {
  copyFile,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  writeFile
} from 'node:fs/promises'
import { basename, join } from 'node:path'

/** Files that npm changes, beside node_modules. */
const npmFiles = ['package.json', 'package-lock.json', 'npm-shrinkwrap.json']

/** Where everything is kept until the change is done. Its presence is the lock; what is in it outlives a kill -9. */
export const backupFolder = '.rystra-backup'

interface Journal {
  readonly pid: number
  /** Names in the project that are in the backup. */
  readonly files: readonly string[]
  /** Names that were not there. */
  readonly absent: readonly string[]
  readonly modules: boolean
}

const exists = async (path: string): Promise<boolean> => (await lstat(path).catch(() => undefined)) !== undefined

/** Links files instead of copying them: npm replaces files of packages, and never writes into them. */
const cloneFolder = async (from: string, to: string, top = true): Promise<void> => {
  await mkdir(to)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name)
    const target = join(to, entry.name)
    if (entry.isDirectory()) await cloneFolder(source, target, false)
    else if (entry.isSymbolicLink()) await symlink(await readlink(source), target)
    // `.package-lock.json` at the top is the exception: npm writes into it.
    else if (top) await copyFile(source, target, constants.COPYFILE_FICLONE)
    else await link(source, target).catch(() => copyFile(source, target, constants.COPYFILE_FICLONE))
  }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** A change of a project, config file and all, that is done as a whole or not at all. */
export class Transaction {
  readonly #dir: string
  readonly #backup: string

  private constructor(dir: string) {
    this.#dir = dir
    this.#backup = join(dir, backupFolder)
  }

  /**
   * Keeps a copy of package.json, lock file, node_modules and `files`, names within the project. What an earlier change
   * left behind when it was killed is put back first. Rejects with `extension.add-failed` while another change runs.
   */
  static async begin(dir: string, files: readonly string[]): Promise<Transaction> {
    await Transaction.recover(dir)
    if ((await lstat(join(dir, 'node_modules')).catch(() => undefined))?.isSymbolicLink() === true) {
      // npm would write into the folder it points at, which may belong to another project.
      throw new RystraError('extension.add-failed', {
        detail: 'node_modules is a link',
        hint: 'make it a folder first'
      })
    }
    const transaction = new Transaction(dir)
    const backup = transaction.#backup
    await mkdir(backup).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EEXIST') throw busy(dir)
      throw new RystraError('extension.add-failed', { detail: `${dir} cannot be written to`, cause })
    })
    const names = [...new Set([...npmFiles, ...files.map((file) => basename(file))])]
    const present: string[] = []
    for (const name of names) if (await exists(join(dir, name))) present.push(name)
    for (const name of present) await copyFile(join(dir, name), join(backup, name))
    const modules = await exists(join(dir, 'node_modules'))
    if (modules) await cloneFolder(join(dir, 'node_modules'), join(backup, 'node_modules'))
    const journal: Journal = {
      pid: process.pid,
      files: present,
      absent: names.filter((name) => !present.includes(name)),
      modules
    }
    // Last, and under its name only when it is whole: a backup without it was never used.
    await writeFile(join(backup, 'journal.tmp'), JSON.stringify(journal))
    await rename(join(backup, 'journal.tmp'), join(backup, 'journal.json'))
    return transaction
  }

  /** Puts back what a change that was killed left behind. Returns whether there was something. */
  static async recover(dir: string): Promise<boolean> {
    const backup = join(dir, backupFolder)
    if (!(await exists(backup))) return false
    const journal = await readJournal(backup)
    if (journal === undefined) {
      const age = Date.now() - ((await lstat(backup).catch(() => undefined))?.mtimeMs ?? 0)
      // Nothing was changed yet; another process may be about to.
      if (age < 60_000) throw busy(dir)
      await rm(backup, { recursive: true, force: true })
      return false
    }
    if (journal.pid !== process.pid && isAlive(journal.pid)) throw busy(dir)
    await new Transaction(dir).rollback()
    return true
  }

  /** Everything is as it was. May be called again when it was interrupted. */
  async rollback(): Promise<void> {
    const journal = await readJournal(this.#backup)
    if (journal === undefined) return
    const modules = join(this.#dir, 'node_modules')
    const kept = join(this.#backup, 'node_modules')
    if (!journal.modules) await rm(modules, { recursive: true, force: true })
    else if (await exists(kept)) {
      await rm(modules, { recursive: true, force: true })
      await rename(kept, modules)
    }
    for (const name of journal.absent) await rm(join(this.#dir, name), { force: true })
    for (const name of journal.files) await putBack(join(this.#backup, name), join(this.#dir, name))
    await this.commit()
  }

  /** The change stays. */
  async commit(): Promise<void> {
    // The journal first: without it there is nothing to put back.
    await rm(join(this.#backup, 'journal.json'), { force: true })
    await rm(this.#backup, { recursive: true, force: true })
  }
}

/** A file that did not change keeps its time, and a watcher sees no change. */
const putBack = async (from: string, to: string): Promise<void> => {
  const [before, after] = await Promise.all([readFile(from), readFile(to).catch(() => undefined)])
  if (after === undefined || !before.equals(after)) await copyFile(from, to)
}

const readJournal = async (backup: string): Promise<Journal | undefined> => {
  try {
    return JSON.parse(await readFile(join(backup, 'journal.json'), 'utf8')) as Journal
  } catch {
    return undefined
  }
}

const busy = (dir: string): RystraError =>
  new RystraError('extension.add-failed', {
    detail: `another rystra command is changing ${dir}`,
    hint: `wait until it is done; without one, delete ${join(dir, backupFolder)}`
  })
