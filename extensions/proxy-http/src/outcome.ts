import { type CloseRequestContext, RystraError } from '@rystra/plugin'
import { hasLongValue, MAX_H2_VALUE_BYTES } from './head-limits.js'
import { Problem, problemOf } from './problem.js'
import type { UpstreamRequest, UpstreamResponse } from './upstream.js'
import type { VisitorRequest } from './visitor-request.js'

/** Why a response cannot be passed on, if it cannot. */
export const unfitResponse = (
  { rawHeaders, status }: UpstreamResponse,
  maxHeaders: number,
  version: VisitorRequest['version']
): Problem | undefined => {
  const tooMany = rawHeaders.length / 2 > maxHeaders
  const tooLong = version === 'h2' && hasLongValue(rawHeaders)
  if (!tooMany && !tooLong && status >= 200 && status <= 999) return undefined
  const fields = tooMany ? `more than ${maxHeaders} header fields` : longField
  const detail = status < 200 ? `status ${status}` : fields
  const error = new RystraError('stream.reset', { side: 'client', detail })
  return new Problem(502, 'the response of the service cannot be passed on', error)
}

const longField = `a header field of more than ${MAX_H2_VALUE_BYTES} bytes, over HTTP/2`

/** A request. Throws a {@link Problem} where it cannot be sent to a service that speaks HTTP/2. */
export const checkedFor = ({ h2 }: { readonly h2?: boolean }, request: UpstreamRequest): UpstreamRequest => {
  const { headers, target } = request
  if (h2 === true && hasLongValue([target, ...headers.map(([, value]) => value)])) throw new Problem(431, longField)
  return request
}

/** Whether a request is of gRPC. */
export const isGrpc = ({ headers, version }: VisitorRequest): boolean =>
  version === 'h2' && /^application\/grpc/.test(String(headers['content-type'] ?? ''))

/** What becomes of a request without progress. `incomplete`: its body is what does not arrive. */
export const stalledProblem = (
  limit: 'answerTimeout' | 'bodyTimeout',
  timeout: number,
  incomplete: boolean
): Problem => {
  const answered = limit === 'bodyTimeout'
  if (!answered && incomplete) return new Problem(408, 'the body of the request did not arrive in time')
  const code = answered ? 'stream.idle' : 'stream.timeout'
  return problemOf(new RystraError(code, { side: 'client', detail: `${limit} of ${timeout} ms` }))
}

/** A request that is over, for hooks. */
export const closedRequest = (
  ended: Omit<CloseRequestContext, 'error'>,
  error: RystraError | undefined
): CloseRequestContext => (error === undefined ? ended : { ...ended, error })
