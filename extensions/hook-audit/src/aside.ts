import { readdir, unlink } from 'node:fs/promises'
import path from 'node:path'

const stamp = /^\d{8}T\d{9}$/

/** Where `audit.ndjson` is put aside to: `audit-20240131T235959999.ndjson.gz`, so that names sort by time. */
export const asideOf = (file: string, at: number, compress: boolean): string => {
  const { dir, name, ext } = path.parse(file)
  const when = new Date(at).toISOString().replaceAll(/[-:.Z]/g, '')
  return path.join(dir, `${name}-${when}${ext}${compress ? '.gz' : ''}`)
}

/** Removes all but the newest of those that were put aside. */
export const tidy = async (file: string, keep: number): Promise<void> => {
  const { dir, name, ext } = path.parse(file)
  const ours = (entry: string): boolean => {
    const bare = entry.endsWith('.gz') ? entry.slice(0, -3) : entry
    const long = name.length + 1 + ext.length
    return (
      bare.startsWith(`${name}-`) &&
      bare.endsWith(ext) &&
      stamp.test(bare.length > long ? bare.slice(name.length + 1, bare.length - ext.length) : '')
    )
  }
  const aside = (await readdir(dir)).filter(ours).sort()
  for (const old of aside.slice(0, -keep)) await unlink(path.join(dir, old))
}
