import { type ErrorCode, RystraError } from '@rystra/model'
import { isIPv6 } from 'node:net'

const listenCodes: Readonly<Record<string, ErrorCode>> = {
  EADDRINUSE: 'listen.in-use',
  EACCES: 'listen.denied',
  EADDRNOTAVAIL: 'listen.unavailable',
  ENOTFOUND: 'listen.unavailable',
  EAI_AGAIN: 'listen.unavailable'
}

/** `host:port` as people and URLs write it: an IPv6 address stands in brackets. */
export const hostPort = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`

/** What binding `host:port` failed with. `more` is added to the detail. */
export const listenError = (cause: NodeJS.ErrnoException, host: string, port: number, more = ''): RystraError =>
  new RystraError(listenCodes[cause.code ?? ''] ?? 'listen.failed', {
    detail: `tcp ${hostPort(host, port)}${more}`,
    cause
  })

/** The reason of a signal, which may be anything. */
export const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error('given up'))

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was reset',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route',
  ENETUNREACH: 'no network'
}

/** Attempts that an error lists; of the rest it says how many there were. */
const LISTED = 6

/** The code of an aborted signal's reason is a number, and says nothing. */
const wordsOf = ({ code, message }: NodeJS.ErrnoException): string =>
  typeof code === 'string' ? (reasons[code] ?? code) : message

/** Why a connection could not be made, in words. Where several addresses were tried, each says its own. */
export const reasonOf = (cause: Error): string => {
  if (!(cause instanceof AggregateError)) return wordsOf(cause)
  const errors = cause.errors as (NodeJS.ErrnoException & { address?: string })[]
  const listed = errors.slice(0, LISTED).map((error) => `${error.address ?? 'an address'}: ${wordsOf(error)}`)
  const more = errors.length - listed.length
  return `${listed.join(', ')}${more > 0 ? ` and ${more} more` : ''}` || 'failed'
}

/** What dialing `host:port` failed with: `connect.unreachable`. */
export const dialError = (cause: Error, host: string, port: number): RystraError =>
  new RystraError('connect.unreachable', { detail: `tcp ${hostPort(host, port)}, ${reasonOf(cause)}`, cause })
