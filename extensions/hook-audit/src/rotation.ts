import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { fileState } from './file-state.js'
import type { FileOptions } from './options.js'

const stamp = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})$/
const stampOf = (at: number): string => new Date(at).toISOString().replaceAll(/[-:.Z]/g, '')
/** Of a rotated file: as it was, compressed, and while it is being compressed. */
const endings = ['.gz.part', '.gz', '']

const lengths = { day: 86_400_000, hour: 3_600_000, never: Number.POSITIVE_INFINITY }

/** The number of the day or hour, by UTC, that a time in milliseconds belongs to. */
export const periodOf = (every: FileOptions['every'], at: number): number => Math.floor(at / lengths[every])

/** Milliseconds until the next day or hour begins. */
export const untilNextPeriod = (every: FileOptions['every'], now: number): number =>
  lengths[every] - (now % lengths[every])

/** The name of a lock that all processes take for one file. */
export const lockName = (file: string): string =>
  `rotate-${createHash('sha256').update(file).digest('hex').slice(0, 16)}.lock`

/** The rotated files beside a file, each with the time in its name in milliseconds. */
const rotatedFiles = async (file: string): Promise<{ readonly entry: string; readonly at: number }[]> => {
  const { dir, name, ext } = path.parse(file)
  return (await readdir(dir)).flatMap((entry) => {
    const ending = endings.find((each) => entry.endsWith(`${ext}${each}`))
    if (ending === undefined || !entry.startsWith(`${name}-`)) return []
    const found = entry.slice(name.length + 1, entry.length - ext.length - ending.length)
    const at = Date.parse(found.replace(stamp, '$1-$2-$3T$4:$5:$6.$7Z'))
    return Number.isNaN(at) || stampOf(at) !== found ? [] : [{ entry, at }]
  })
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** Takes a name for a rotated file, so that no other process renames one to it. Answers with whether it was free. */
const reserve = async (rotated: string): Promise<boolean> => {
  try {
    await (await open(rotated, 'wx', 0o600)).close()
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
  // One that was compressed meanwhile.
  if ((await fileState(`${rotated}.gz`)) === undefined) return true
  await unlink(rotated)
  return false
}

/**
 * Gives a file a name with the time, `audit-20240131T235959999.ndjson`, which sorts behind those of all that were rotated
 * before, whatever the clock says. Overwrites nothing, also where a full disk has left no lock to be taken.
 * @returns the new name; `undefined` when another process has put the file aside meanwhile
 */
export const setAside = async (file: string, now: number): Promise<string | undefined> => {
  const { dir, name, ext } = path.parse(file)
  const nameAt = (at: number): string => path.join(dir, `${name}-${stampOf(at)}${ext}`)
  let at = (await rotatedFiles(file)).reduce((latest, each) => Math.max(latest, each.at + 1), now)
  while (!(await reserve(nameAt(at)))) at += 1
  try {
    await rename(file, nameAt(at))
    return nameAt(at)
  } catch (error) {
    await unlink(nameAt(at)).catch(() => undefined)
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Compresses a part of a file, in bytes, into another one. */
const gzip = async (from: FileHandle, start: number, end: number, to: string, flags: 'w' | 'a'): Promise<void> => {
  const source = start === end ? [] : from.createReadStream({ start, end: end - 1, autoClose: false })
  await pipeline(source, createGzip(), createWriteStream(to, { mode: 0o600, flags }))
}

/**
 * Compresses a rotated file. Another process may have been writing to it: what it appended meanwhile is added as a further
 * member (RFC 1952, section 2.2), so that records stay whole and in order.
 * @throws when the disk does not accept it; the rotated file stays as it is then
 */
export const compress = async (rotated: string): Promise<void> => {
  const handle = await open(rotated, 'r')
  try {
    const { size } = await handle.stat()
    const part = `${rotated}.gz.part`
    try {
      await gzip(handle, 0, size, part, 'w')
      await rename(part, `${rotated}.gz`)
    } catch (error) {
      await unlink(part).catch(() => undefined)
      throw error
    }
    await unlink(rotated)
    // A writer that comes later sees that the file has no name any more, and writes again.
    const after = await handle.stat()
    if (after.size > size) await gzip(handle, size, after.size, `${rotated}.gz`, 'a')
  } finally {
    await handle.close()
  }
}

/** Removes all but the newest rotated files. */
export const removeOld = async (file: string, keep: number): Promise<void> => {
  const files = await rotatedFiles(file)
  const kept = new Set([...new Set(files.map(({ at }) => at))].sort((a, b) => a - b).slice(-keep))
  for (const { entry, at } of files) {
    // Another process may remove it at the same time.
    if (!kept.has(at)) await unlink(path.join(path.dirname(file), entry)).catch(() => undefined)
  }
}
