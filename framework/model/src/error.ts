import { type ErrorCode, type ErrorScope, errorTable, isErrorCode } from './codes.js'

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
}

/**
 * The one error class. Only {@link code} and {@link detail} cross the wire.
 * Recognise it with {@link isRystraError}, never with `instanceof`: several copies of this package may be installed.
 */
export class RystraError extends Error {
  readonly code: ErrorCode
  readonly detail: string | undefined
  readonly hint: string
  readonly side: 'server' | 'client' | undefined

  constructor(code: ErrorCode, details: ErrorDetails = {}) {
    const { message, hint } = errorTable[code]
    const where = details.side === undefined ? '' : `${details.side}: `
    super(`${where}${message}${details.detail === undefined ? '' : `: ${details.detail}`}`, { cause: details.cause })
    this.name = 'RystraError'
    this.code = code
    this.detail = details.detail
    this.hint = details.hint ?? hint
    this.side = details.side
    Object.defineProperty(this, brand, { value: true })
  }

  get scope(): ErrorScope {
    return errorTable[this.code].scope
  }

  get retryable(): boolean {
    return errorTable[this.code].retryable
  }

  get exitCode(): number {
    return errorTable[this.code].exitCode
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
}

/** Leaves out everything that the other side must not see. Foreign errors become `internal` without a detail. */
export const toWireError = (error: unknown): WireError =>
  isRystraError(error)
    ? { code: error.code, ...(error.detail === undefined ? {} : { detail: error.detail }) }
    : { code: 'internal' }

/** An error that the other side sent. A code that this side does not know becomes `internal`, with the code in the detail. */
export const fromWireError = (wire: WireError, side: 'server' | 'client'): RystraError =>
  isErrorCode(wire.code)
    ? new RystraError(wire.code, { side, detail: wire.detail })
    : new RystraError('internal', {
        side,
        detail: `${wire.code}${wire.detail === undefined ? '' : `: ${wire.detail}`}`
      })
