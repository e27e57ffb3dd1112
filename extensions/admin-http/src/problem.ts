import { type ErrorCode, isErrorCode, isRystraError, RystraError } from '@rystra/plugin'
import { STATUS_CODES } from 'node:http'

/** A problem document, RFC 9457. */
export interface Problem {
  /** `urn:rystra:error:<code>`. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** One of the table of error codes. */
  readonly code: string
  /** What to do next. */
  readonly hint: string
  /** What is wrong with a configuration or a body, by path. */
  readonly problems?: readonly unknown[]
}

/** An error with the HTTP status that it is answered with. */
export class HttpError extends RystraError {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    code: ErrorCode,
    detail: string,
    more: { hint?: string; headers?: Record<string, string> } = {}
  ) {
    super(code, { detail, ...(more.hint === undefined ? {} : { hint: more.hint }) })
    this.status = status
    this.headers = more.headers ?? {}
  }
}

const statuses: Readonly<Partial<Record<ErrorCode, number>>> = {
  'admin.unauthorized': 401,
  'admin.forbidden': 403,
  'admin.invalid': 400,
  'admin.not-found': 404,
  'admin.busy': 503,
  'control.unavailable': 501,
  'control.conflict': 412,
  'control.busy': 409,
  'control.upgrade-failed': 422,
  'control.not-found': 404,
  'usage.invalid': 400,
  'kernel.state': 409,
  'proxy.name-taken': 409,
  'proxy.port-taken': 409,
  'proxy.claimed': 409,
  internal: 500
}

/** The status of an error by its code: what the caller sent is wrong, unless the code says otherwise. */
const statusOf = (error: RystraError): number => {
  if (error instanceof HttpError) return error.status
  const known = statuses[error.code]
  if (known !== undefined) return known
  if (!isErrorCode(error.code)) return extensionStatus(error)
  if (/^(config|extension|registry|proxy|tls|listen)\./.test(error.code)) return 422
  return error.retryable ? 503 : 500
}

/** That of an error of an extension: what it does not find, what it cannot do now, what it will not do. */
const extensionStatus = ({ code, retryable }: RystraError): number =>
  code.endsWith('.not-found') ? 404 : retryable ? 503 : 409

/** What fastify throws of its own. */
interface FrameworkError extends Error {
  readonly code?: string
  readonly statusCode?: number
  readonly validation?: readonly { readonly instancePath: string; readonly message?: string }[]
  readonly validationContext?: string
}

/** Any thrown value as an error with a status; an unexpected one is `internal`, without its message. */
export const asRefusal = (thrown: unknown): RystraError => {
  if (isRystraError(thrown)) return thrown
  const { statusCode = 500, validation, validationContext = 'body', message } = thrown as FrameworkError
  if (validation !== undefined) {
    const problems = validation.map(
      ({ instancePath, message: reason = 'invalid' }) =>
        `${validationContext}${instancePath.replaceAll('/', '.')}: ${reason}`
    )
    return Object.assign(new HttpError(400, 'admin.invalid', problems.join('; ')), { problems })
  }
  if (statusCode >= 400 && statusCode < 500) return new HttpError(statusCode, 'admin.invalid', message)
  return new RystraError('internal', { cause: thrown })
}

/** The document of an error. */
export const problemOf = (error: RystraError): Problem => {
  const status = statusOf(error)
  const { problems } = error as { problems?: unknown }
  return {
    type: `urn:rystra:error:${error.code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    ...(Array.isArray(problems) ? { problems } : {})
  }
}
