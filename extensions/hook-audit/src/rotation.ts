import { readdir, unlink } from 'node:fs/promises'
import path from 'node:path'

const stamp = /^\d{8}T\d{9}$/

/** The name of a rotated file: `audit-20240131T235959999.ndjson.gz`, so that names sort by time. */
export const rotatedName = (file: string, at: number, compress: boolean): string => {
  const { dir, name, ext } = path.parse(file)
  const when = new Date(at).toISOString().replaceAll(/[-:.Z]/g, '')
  return path.join(dir, `${name}-${when}${ext}${compress ? '.gz' : ''}`)
}

/** Removes all but the newest rotated files. */
export const removeOld = async (file: string, keep: number): Promise<void> => {
  const { dir, name, ext } = path.parse(file)
  const isRotated = (entry: string): boolean => {
    const bare = entry.endsWith('.gz') ? entry.slice(0, -3) : entry
    const long = name.length + 1 + ext.length
    return (
      bare.startsWith(`${name}-`) &&
      bare.endsWith(ext) &&
      stamp.test(bare.length > long ? bare.slice(name.length + 1, bare.length - ext.length) : '')
    )
  }
  const rotated = (await readdir(dir)).filter(isRotated).sort()
  for (const old of rotated.slice(0, -keep)) await unlink(path.join(dir, old))
}
