import { type ErrorCode, RystraError } from '@rystra/plugin'

const listenCodes: Readonly<Record<string, ErrorCode>> = {
  EADDRINUSE: 'listen.in-use',
  EACCES: 'listen.denied',
  EPERM: 'listen.denied',
  ENOENT: 'listen.unavailable',
  ENOTDIR: 'listen.unavailable',
  EROFS: 'listen.unavailable'
}

const dialReasons: Readonly<Record<string, string>> = {
  ENOENT: 'nothing listens there',
  ENOTDIR: 'nothing listens there',
  ECONNREFUSED: 'nothing listens there',
  EACCES: 'not allowed',
  EAGAIN: 'too many wait to be accepted',
  ABORT_ERR: 'given up'
}

/** Details name the address as it is configured, never the path on this machine: what is said here may be told to the other side. */
export const listenError = (cause: NodeJS.ErrnoException, address: string): RystraError =>
  new RystraError(listenCodes[cause.code ?? ''] ?? 'listen.failed', { detail: `unix ${address}`, cause })

/** @see listenError */
export const dialError = (cause: NodeJS.ErrnoException, address: string): RystraError => {
  const reason = dialReasons[cause.code ?? ''] ?? cause.code ?? 'failed'
  return new RystraError('connect.unreachable', { detail: `unix ${address}, ${reason}`, cause })
}

/** What happens when the signal was aborted. */
export const givenUp = (): Error => Object.assign(new Error('given up'), { code: 'ABORT_ERR' })
