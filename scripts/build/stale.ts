import { existsSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { readStamp } from './bundle.js'
import type { Package } from './packages.js'

/** Removes what an earlier build left in `dist`: code that is not of this bundle, and declarations of sources that are gone. */
export const removeStale = ({ dir }: Package): void => {
  const dist = path.join(dir, 'dist')
  const files = new Set(readStamp(dir)?.files)
  const isOf = (file: string): boolean => {
    if (files.has(file) || path.basename(file).startsWith('.')) return true
    const [, source] = /^(.+)\.d\.ts(?:\.map)?$/.exec(file) ?? []
    return source !== undefined && existsSync(path.join(dir, 'src', `${source}.ts`))
  }
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    if (entry.isFile() && !isOf(path.relative(dist, file).replaceAll('\\', '/'))) rmSync(file)
  }
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true }).reverse()) {
    const folder = path.join(entry.parentPath, entry.name)
    if (entry.isDirectory() && readdirSync(folder).length === 0) rmSync(folder, { recursive: true })
  }
}
