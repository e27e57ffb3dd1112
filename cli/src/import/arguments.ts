import { RystraError } from '@rystra/model'

const word = /(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g
const part = /\\(.)|"((?:[^"\\]|\\.)*)"|'([^']*)'|([^"'\\]+)/g

/** Splits a command line as a shell would: quotes and backslashes, and nothing else of a shell. */
export const splitArguments = (text: string): string[] => {
  if (/(['"]).*/.test(text.replaceAll(word, '')))
    throw new RystraError('usage.invalid', {
      detail: 'a quote in the arguments is not closed',
      hint: 'close the quote'
    })
  return [...text.matchAll(word)].map(([found]) =>
    found.replaceAll(
      part,
      (_, escaped?: string, double?: string, single?: string, bare?: string) =>
        escaped ?? double?.replaceAll(/\\(["\\$`])/g, '$1') ?? single ?? bare ?? ''
    )
  )
}
