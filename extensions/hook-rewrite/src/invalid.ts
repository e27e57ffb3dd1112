import { RystraError } from '@rystra/plugin'

/** The error of an invalid option. @param path its name: `rules[0].bytes[1].find` */
export const invalid = (path: string, detail: string, cause?: unknown): RystraError =>
  new RystraError('extension.options', { detail: `${path}: ${detail}`, cause })
