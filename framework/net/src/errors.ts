import { type ErrorCode, RystraError } from '@rystra/model'

const listenCodes: Readonly<Record<string, ErrorCode>> = {
  EADDRINUSE: 'listen.in-use',
  EACCES: 'listen.denied',
  EADDRNOTAVAIL: 'listen.unavailable',
  ENOTFOUND: 'listen.unavailable',
  EAI_AGAIN: 'listen.unavailable'
}

/** What binding `host:port` failed with. */
export const listenError = (cause: NodeJS.ErrnoException, host: string, port: number): RystraError =>
  new RystraError(listenCodes[cause.code ?? ''] ?? 'listen.failed', { detail: `tcp ${host}:${port}`, cause })

/** The reason of a signal, which may be anything. */
export const asError = (reason: unknown): Error => (reason instanceof Error ? reason : new Error('given up'))

const dialReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no route',
  ENETUNREACH: 'no network'
}

/** What dialing `host:port` failed with. An attempt at several addresses counts as its last. */
export const dialError = (cause: NodeJS.ErrnoException, host: string, port: number): RystraError => {
  const last = cause instanceof AggregateError ? (cause.errors.at(-1) as NodeJS.ErrnoException) : cause
  const reason = dialReasons[last?.code ?? ''] ?? last?.code ?? last?.message ?? 'failed'
  return new RystraError('connect.unreachable', { detail: `tcp ${host}:${port}, ${reason}`, cause })
}
