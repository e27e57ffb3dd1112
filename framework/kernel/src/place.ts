import { fileURLToPath } from 'node:url'

/** The code of the kernel, whose frames say nothing to the author of an extension: source maps name its sources. */
const own = ['src', 'dist'].map((name) => fileURLToPath(new URL(`../${name}/`, import.meta.url)))

/** A place in a file, as a stack names it. */
export interface Place {
  readonly file: string
  /** `12:5`: line and column. */
  readonly position: string
}

/** The places of a stack, the innermost first; those of Node itself are left out. */
export const placesIn = (error: unknown): Place[] => {
  const stack = (error as { stack?: unknown } | null | undefined)?.stack
  if (typeof stack !== 'string') return []
  return stack.split('\n').flatMap((line) => {
    const [, file = '', position] = /\(?((?:file:\/\/)?\/[^()]*?):(\d+:\d+)\)?$/.exec(line) ?? []
    if (position === undefined) return []
    return [{ file: file.startsWith('file:') ? fileURLToPath(file) : file, position }]
  })
}

/** File, line and column where an error was thrown in the code of an extension: `/srv/hooks/mine.ts:12:5`. */
export const placeOf = (error: unknown): string | undefined => {
  const found = placesIn(error).find(({ file }) => !own.some((folder) => file.startsWith(folder)))
  return found === undefined ? undefined : `${found.file}:${found.position}`
}
