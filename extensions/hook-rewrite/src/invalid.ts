import { RystraError } from '@rystra/plugin'

/** An option that cannot be meant. @param path which one: `rules[0].bytes[1].find` */
export const invalid = (path: string, detail: string, cause?: unknown): RystraError =>
  new RystraError('extension.options', { detail: `${path}: ${detail}`, cause })
