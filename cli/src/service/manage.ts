import { RystraError } from '@rystra/model'
import { execFile } from 'node:child_process'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Where a unit is, and how systemd is called for it. */
export interface Place {
  readonly file: string
  readonly flags: readonly string[]
}

/** Of the machine, or of the user alone. @param root in place of `/`, for packages and tests */
export const placeOf = (name: string, own: boolean, root = '/'): Place =>
  own
    ? { file: join(root === '/' ? homedir() : root, '.config/systemd/user', `${name}.service`), flags: ['--user'] }
    : { file: join(root, 'etc/systemd/system', `${name}.service`), flags: [] }

/** A mark of units that this command wrote: others are never changed. */
const mark = '# Written by `rystra service:install`.'

const readUnit = (file: string): Promise<string | undefined> => readFile(file, 'utf8').catch(() => undefined)

const refuseForeign = (file: string, text: string | undefined): void => {
  if (text === undefined || text.startsWith(mark)) return
  throw new RystraError('usage.invalid', {
    detail: `${file} was not written by rystra`,
    hint: 'choose another name with --name, or remove the file first'
  })
}

/** Runs systemctl. Rejects with `file.failed` and what it printed. */
export const systemctl = async ({ flags }: Place, ...args: string[]): Promise<string> => {
  try {
    return (await run('systemctl', [...flags, ...args])).stdout
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { stderr?: string }
    throw new RystraError('file.failed', {
      detail: `systemctl ${args.join(' ')}: ${stderr.trim() || message}`,
      cause,
      hint: 'run it where systemd runs, as root or with --user; --dry-run prints the unit'
    })
  }
}

/** Writes a unit in one step. Answers with whether anything changed. Refuses a file that others wrote. */
export const writeUnit = async ({ file }: Place, text: string): Promise<boolean> => {
  const before = await readUnit(file)
  refuseForeign(file, before)
  const wanted = `${mark}\n${text}`
  if (before === wanted) return false
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, wanted, { mode: 0o644 })
  await rename(`${file}.new`, file)
  return true
}

/** Removes a unit. Answers with whether there was one. Refuses a file that others wrote. */
export const removeUnit = async ({ file }: Place): Promise<boolean> => {
  const before = await readUnit(file)
  refuseForeign(file, before)
  await rm(file, { force: true })
  return before !== undefined
}

/** What systemd says of a unit. */
export const unitStatus = async (place: Place, name: string): Promise<Record<string, string>> => {
  const properties = [
    'LoadState',
    'ActiveState',
    'SubState',
    'StatusText',
    'MainPID',
    'NRestarts',
    'ActiveEnterTimestamp',
    'Result'
  ]
  const text = await systemctl(place, 'show', `${name}.service`, `--property=${properties.join(',')}`)
  return Object.fromEntries(
    text
      .trim()
      .split('\n')
      .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string])
  )
}
