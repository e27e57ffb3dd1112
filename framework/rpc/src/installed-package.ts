import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { isAbsolute, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The folder of a package that is installed with the program, or with this package. Programs are started in any folder, where the
 * search of a configuration would begin.
 */
export const installedPackage = (name: string): string | undefined => {
  const [, program] = process.argv
  for (const file of [program, fileURLToPath(import.meta.url)]) {
    if (file === undefined || !isAbsolute(file)) continue
    for (const folder of createRequire(file).resolve.paths(name) ?? []) {
      if (existsSync(join(folder, name, 'package.json'))) return join(folder, name)
    }
  }
  return undefined
}
