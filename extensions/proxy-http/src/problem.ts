import {
  type Deny,
  type ErrorCode,
  isRefusal,
  isRystraError,
  RystraError,
  type Side,
  toRystraError
} from '@rystra/plugin'

/** Why a request is not answered by its service. */
export class Problem extends Error {
  /** Of the answer. */
  readonly status: number
  /** What the log, hooks and the page name it by. */
  readonly error: RystraError | undefined
  /** Seconds for Retry-After. */
  readonly retryAfter: number | undefined

  /** @param text for the visitor: one line, without a dot, no secrets */
  constructor(status: number, text: string, error?: RystraError, retryAfter?: number) {
    super(text)
    this.name = 'Problem'
    this.status = status
    this.error = error
    this.retryAfter = retryAfter
  }

  /** What the page and `X-Rystra-Error` say: the code of the error, or `http.` and the status where the request is at fault. */
  get code(): string {
    return this.error?.code ?? `http.${this.status}`
  }
}

const statuses: Partial<Record<ErrorCode, [status: number, text: string]>> = {
  'stream.service-unreachable': [502, 'the tunnel is up, but the service behind it cannot be reached'],
  'stream.refused': [403, 'the tunnel refused the request'],
  'stream.limit': [503, 'the limit of requests to this service is reached'],
  'stream.no-member': [503, 'no service of this group is up now'],
  'stream.timeout': [504, 'the service did not answer in time'],
  'stream.idle': [504, 'the service was silent for too long'],
  'stream.reset': [502, 'the service broke off before it answered'],
  'stream.unknown-proxy': [503, 'the client of the tunnel is changing over'],
  'session.lost': [503, 'the client of the tunnel has just gone away'],
  'session.timeout': [503, 'the client of the tunnel does not answer'],
  'mux.closed': [503, 'the client of the tunnel has just gone away'],
  internal: [500, 'something within the server failed'],
  'hook.failed': [500, 'an extension of the server failed'],
  'hook.timeout': [500, 'an extension of the server did not answer in time']
}

/** The answer for an error; `code` and `side` are for errors without them. */
export const problemOf = (cause: unknown, code: ErrorCode = 'stream.reset', side: Side = 'client'): Problem => {
  if (cause instanceof Problem) return cause
  const error = toRystraError(cause, code, { side })
  const own = isRefusal(error.code) ? ([403, error.entry.message] as const) : undefined
  const [status, text] = statuses[error.code] ?? own ?? [502, 'the service cannot be reached through the tunnel']
  return new Problem(status, text, error, status === 503 ? 1 : undefined)
}

/** What a refusal by a hook is. */
export const deniedBy = ({ deny, retryAfter }: Deny): Problem => {
  const error = new RystraError('stream.refused', { side: 'server', detail: deny })
  return new Problem(retryAfter === undefined ? 403 : 429, deny, error, retryAfter)
}

/** A service that breaks the rules of HTTP, or breaks off. */
export const serviceProblem = (cause: Error & { code?: string }): Problem => {
  if (isRystraError(cause) || cause instanceof Problem) return problemOf(cause)
  const parsed = cause.code?.startsWith('HPE_') === true || cause.code === 'ERR_INVALID_CHAR'
  const detail = parsed ? 'its answer is not HTTP' : undefined
  const error = new RystraError('stream.reset', { side: 'client', ...(detail === undefined ? {} : { detail }), cause })
  return new Problem(
    502,
    parsed ? 'the service answered with something that is not HTTP' : 'the service broke off before it answered',
    error
  )
}
