import { dirname, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Place, placesIn } from './place.js'

/** The folder with the packages of the framework, in a checkout and where they are installed. */
const framework = fileURLToPath(new URL('../../', import.meta.url))

/** Where the code of an extension is. */
export interface CodeOf {
  readonly name: string
  /** The file that defines it. */
  readonly file: string | undefined
  /** Whether it is a package, with files of its own beside that one. */
  readonly packaged: boolean
}

/** The extension whose code threw an error. */
export interface Blame {
  readonly extension: string
  /** `/srv/hooks/mine.ts:12:5` */
  readonly at: string
  /** Whether no code of the framework was interrupted: its state is whole, and it can go on. */
  readonly contained: boolean
}

/** The folder of a package that `file` is in, `node_modules/<name>/` as a rule; otherwise the folder of the file. */
const baseOf = ({ file = '', packaged }: CodeOf): string => {
  const folder = dirname(file)
  const [installed] = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(folder) ?? []
  const base = packaged ? (installed ?? folder.replace(/[\\/](?:src|dist|lib)$/, '')) : folder
  return base + sep
}

const isIn = (file: string, base: string): boolean =>
  file.startsWith(base) && !file.slice(base.length).includes(`node_modules${sep}`)

const ownerOf = ({ file }: Place, extensions: readonly CodeOf[]): string | undefined => {
  const exact = extensions.find((one) => one.file === file)
  if (exact !== undefined) return exact.name
  return extensions.find((one) => one.file !== undefined && isIn(file, baseOf(one)))?.name
}

/** The extension that the innermost of its frames names; nothing when no frame is of an extension. */
export const blame = (error: unknown, extensions: readonly CodeOf[]): Blame | undefined => {
  const frames = placesIn(error).map((place) => ({ place, extension: ownerOf(place, extensions) }))
  const found = frames.find(({ extension }) => extension !== undefined)
  if (found?.extension === undefined) return undefined
  const { file, position } = found.place
  const contained = frames.every(({ place, extension }) => extension !== undefined || !place.file.startsWith(framework))
  return { extension: found.extension, at: `${file}:${position}`, contained }
}
