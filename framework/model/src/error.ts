import { type ErrorCode, type ErrorEntry, type ErrorScope, errorTable, isErrorCode } from './codes.js'
import { type ExtensionError, extensionEntry, isExtensionCode } from './extension-errors.js'

const brand = Symbol.for('rystra.error')

/** What may be said about an error besides its code. */
export interface ErrorDetails {
  /** Appended to the message. Crosses the wire when the error does: no secrets, no paths of this machine. */
  readonly detail?: string
  /** For the log of this side only; never crosses the wire. */
  readonly cause?: unknown
  /** Replaces the hint of the table. */
  readonly hint?: string
  /** Which side failed. Defaults to nothing said. */
  readonly side?: 'server' | 'client'
  /** Text and retryability of a code that no extension registered in this process, as they came from the other side. */
  readonly sent?: Partial<Pick<ExtensionError, 'text' | 'retryable'>>
}

/**
 * The one error class. Only {@link code} and {@link detail} cross the wire, and for a code of an extension its text.
 * Recognise it with {@link isRystraError}, never with `instanceof`: several copies of this package may be installed.
 */
export class RystraError extends Error {
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly hint: string
  readonly side: 'server' | 'client' | undefined
  /** What is known of the code. */
  declare readonly entry: ErrorEntry

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    const entry = isErrorCode(code) ? errorTable[code] : extensionEntry(code, details.sent)
    const { message, hint } = entry
    const where = details.side === undefined ? '' : `${details.side}: `
    super(`${where}${message}${details.detail === undefined ? '' : `: ${details.detail}`}`, { cause: details.cause })
    this.name = 'RystraError'
    this.code = code
    this.detail = details.detail
    this.hint = details.hint ?? hint
    Object.defineProperty(this, 'entry', { value: entry })
    this.side = details.side
    Object.defineProperty(this, brand, { value: true })
  }

  get scope(): ErrorScope {
    return this.entry.scope
  }

  get retryable(): boolean {
    return this.entry.retryable
  }

  get exitCode(): number {
    return this.entry.exitCode
  }
}

/** Whether a value is a {@link RystraError}, also one of another installed copy of this package. */
export const isRystraError = (value: unknown): value is RystraError =>
  value instanceof Error && (value as { [brand]?: true })[brand] === true

/** The value itself when it is ours, otherwise an error of `code` with the value as its cause. */
export const toRystraError = (value: unknown, code: ErrorCode = 'internal', details: ErrorDetails = {}): RystraError =>
  isRystraError(value)
    ? value
    : new RystraError(code, { detail: value instanceof Error ? value.message : undefined, ...details, cause: value })

/** What crosses the wire of an error. */
export interface WireError {
  readonly code: string
  readonly detail?: string
  /** Of a code of an extension: what happened, in words. */
  readonly text?: string
  /** Of a code of an extension: whether the same thing may succeed later. @default false */
  readonly retryable?: boolean
}

/** Leaves out everything that the other side must not see. Foreign errors become `internal` without a detail. */
export const toWireError = (error: unknown): WireError => {
  if (!isRystraError(error)) return { code: 'internal' }
  const { code, detail, entry } = error
  return {
    code,
    ...(detail === undefined ? {} : { detail }),
    // The other side may not have the extension.
    ...(isErrorCode(code) || entry === undefined ? {} : { text: entry.message }),
    ...(!isErrorCode(code) && entry?.retryable ? { retryable: true } : {})
  }
}

/**
 * An error that the other side sent. A code that this side does not know is kept where it has the form of an extension's,
 * with its text; another becomes `internal`, with the code in the detail.
 */
export const fromWireError = (wire: WireError, side: 'server' | 'client'): RystraError => {
  const { code, detail, text, retryable } = wire
  if (isErrorCode(code) || isExtensionCode(code))
    return new RystraError(code as ErrorCode, { side, detail, sent: { text, retryable } })
  return new RystraError('internal', { side, detail: `${code}${detail === undefined ? '' : `: ${detail}`}` })
}
