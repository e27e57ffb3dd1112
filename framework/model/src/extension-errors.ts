import { type ErrorEntry, isErrorCode } from './codes.js'

/** An error of an extension, as its author describes it. */
export interface ExtensionError {
  /** What happened, in words for a person: at most 256 characters. Crosses the wire with the code. */
  readonly text: string
  /** What to do next. @default to see the documentation of the extension */
  readonly hint?: string
  /** Whether the same thing may succeed later without a change. Crosses the wire. @default false */
  readonly retryable?: boolean
}

/** Longest text of an extension's error. */
export const MAX_ERROR_TEXT = 256

const codePattern = /^[a-z0-9][a-z0-9-]{0,31}\.[a-z0-9][a-z0-9-]{0,30}$/

/** Whether a code has the form of an extension's: `<extension>.<what>`, 64 characters of a-z, 0-9 and - at most. */
export const isExtensionCode = (code: string): boolean => codePattern.test(code)

/** Whether an error of this code is the decision of an extension about a visitor, which another member would not change. */
export const isRefusal = (code: string): boolean =>
  code === 'stream.refused' || (!isErrorCode(code) && isExtensionCode(code))

/** One for all installed copies of this package. */
const key = Symbol.for('rystra.extension-errors')
const global = globalThis as { [key]?: Map<string, ErrorEntry> }
global[key] ??= new Map()
const table = global[key]

const entryOf = ({ text, hint, retryable = false }: ExtensionError, extension: string): ErrorEntry => ({
  message: text,
  scope: 'stream',
  retryable,
  exitCode: 3,
  hint: hint ?? `see the documentation of the extension ${extension}`
})

/** Makes the errors of an extension known in this process. Throws a `TypeError` for codes that are not well-formed. */
export const registerErrors = (extension: string, errors: Readonly<Record<string, ExtensionError>>): void => {
  for (const [name, error] of Object.entries(errors)) {
    const code = `${extension}.${name}`
    const { text } = error
    if (!isExtensionCode(code)) throw new TypeError(`${JSON.stringify(code)} is not an error code: use a-z, 0-9 and -`)
    if (typeof text !== 'string' || text === '' || text.length > MAX_ERROR_TEXT)
      throw new TypeError(`the error ${code} needs a text of 1 to ${MAX_ERROR_TEXT} characters`)
    table.set(code, entryOf(error, extension))
  }
}

/** What is known of a code of an extension: what it registered here, otherwise what came with the error. */
export const extensionEntry = (code: string, sent: Partial<ExtensionError> = {}): ErrorEntry => {
  const known = table.get(code)
  if (known !== undefined) return known
  const [extension = ''] = code.split('.')
  return entryOf({ ...sent, text: sent.text ?? `error ${code} of an extension` }, extension)
}
