import { fileURLToPath } from 'node:url'

/** The folder of the kernel, whose frames say nothing to the author of an extension. */
const own = fileURLToPath(new URL('.', import.meta.url))

/** File, line and column where an error was thrown in the code of an extension: `/srv/hooks/mine.ts:12:5`. */
export const placeOf = (error: unknown): string | undefined => {
  const { stack } = error as { stack?: unknown }
  if (typeof stack !== 'string') return undefined
  for (const line of stack.split('\n')) {
    const [, file = '', position] = /\(?((?:file:\/\/)?\/[^()]*?):(\d+:\d+)\)?$/.exec(line) ?? []
    const path = file.startsWith('file:') ? fileURLToPath(file) : file
    if (position !== undefined && !path.startsWith(own)) return `${path}:${position}`
  }
  return undefined
}
