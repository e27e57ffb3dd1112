import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from './packages.js'

/** The folders of the libraries that files are of. */
const librariesOf = (files: readonly string[]): string[] => [
  ...new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []))
]

/** The license texts of all bundled libraries: most licenses require them in each copy. Empty without such libraries. */
export const licensesOf = (files: readonly string[]): string =>
  librariesOf(files)
    .sort()
    .map((library) => {
      const dir = path.join(root, library)
      const { name, version } = JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8'))
      const file = readdirSync(dir).find((entry) => /^licen[cs]e/i.test(entry))
      if (file === undefined) throw new Error(`${name} has no file with its license: it cannot be part of a package`)
      return `${name} ${version}\n\n${readFileSync(path.join(dir, file), 'utf8').trim()}\n`
    })
    .join('\n----\n\n')
