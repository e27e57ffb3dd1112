import { errorTable, isErrorCode, isRystraError } from '@rystra/model'

/** What may be said of an {@link RpcError} besides its code. */
export interface RpcErrorDetails<Data = unknown> {
  /** Crosses the wire: no secrets, no paths of this machine. @default the text of the code, where it is one of the framework's */
  readonly message?: string
  /** Crosses the wire. */
  readonly data?: Data
  /** Whether the same call may succeed later. @default that of the code */
  readonly retryable?: boolean
  /** Milliseconds after which it may be tried again. */
  readonly retryAfter?: number
  /** For the log of this side only. */
  readonly cause?: unknown
}

/**
 * The error of a call: with a code of the framework (`rpc.…`) or of the application. A handler that throws one sends code,
 * message, data and `retryable`; anything else that it throws becomes `rpc.handler` without details.
 */
export class RpcError<Data = unknown> extends Error {
  readonly code: string
  readonly data: Data | undefined
  readonly retryable: boolean
  readonly retryAfter: number | undefined
  /** What to do next, for codes of the framework. */
  readonly hint: string | undefined

  constructor(code: string, details: RpcErrorDetails<Data> = {}) {
    const row = isErrorCode(code) ? errorTable[code] : undefined
    super(details.message ?? row?.message ?? code, { cause: details.cause })
    this.name = 'RpcError'
    this.code = code
    this.data = details.data
    this.retryable = details.retryable ?? row?.retryable ?? false
    this.retryAfter = details.retryAfter
    this.hint = row?.hint
  }
}

/** An error of the framework's codes, with what is wrong. */
export const rpcError = (code: `rpc.${string}`, detail?: string, cause?: unknown): RpcError => {
  const row = isErrorCode(code) ? errorTable[code].message : code
  return new RpcError(code, { message: detail === undefined ? row : `${row}: ${detail}`, cause })
}

/** What a handler threw, as its caller may see it. */
export const toRpcError = (thrown: unknown): RpcError => {
  if (thrown instanceof RpcError) return thrown
  if (isRystraError(thrown)) return new RpcError(thrown.code, { message: thrown.message, cause: thrown })
  return new RpcError('rpc.handler', { cause: thrown })
}
