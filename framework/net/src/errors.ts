import { hostPort } from '@rystra/address'
import { type ErrorCode, RystraError } from '@rystra/model'

const listenCodes: Readonly<Record<string, ErrorCode>> = {
  EADDRINUSE: 'listen.in-use',
  EACCES: 'listen.denied',
  EADDRNOTAVAIL: 'listen.unavailable',
  ENOTFOUND: 'listen.unavailable',
  EAI_AGAIN: 'listen.unavailable'
}

/** The error of binding `host:port`. `more` is appended to the detail. */
export const listenError = (cause: NodeJS.ErrnoException, host: string, port: number, more = ''): RystraError =>
  new RystraError(listenCodes[cause.code ?? ''] ?? 'listen.failed', {
    detail: `tcp ${hostPort(host, port)}${more}`,
    cause
  })

/** The reason of an aborted signal as an error. */
export const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error('aborted'))

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'temporary DNS failure',
  ETIMEDOUT: 'timed out',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable'
}

/** Attempts that an error lists; the rest is counted. */
const MAX_LISTED = 6

/** The code of a DOMException is a number. */
const textOf = ({ code, message }: NodeJS.ErrnoException): string =>
  typeof code === 'string' ? (reasons[code] ?? code) : message

/** Describes why a connection failed; with several attempts, one reason per address. */
export const reasonOf = (cause: Error): string => {
  if (!(cause instanceof AggregateError)) return textOf(cause)
  const errors = cause.errors as (NodeJS.ErrnoException & { address?: string })[]
  const listed = errors.slice(0, MAX_LISTED).map((error) => `${error.address ?? 'address'}: ${textOf(error)}`)
  const more = errors.length - listed.length
  return `${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}` || 'failed'
}

/** The error of dialing `host:port`: `connect.unreachable`. */
export const dialError = (cause: Error, host: string, port: number): RystraError =>
  new RystraError('connect.unreachable', { detail: `tcp ${hostPort(host, port)}, ${reasonOf(cause)}`, cause })
