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

/** Details name the port, never the path: what is said here may be told to the other side. */
export const listenError = (cause: NodeJS.ErrnoException, port: number): RystraError =>
  new RystraError(listenCodes[cause.code ?? ''] ?? 'listen.failed', { detail: `unix ${port}`, cause })

/** @see listenError */
export const dialError = (cause: NodeJS.ErrnoException, port: number): RystraError => {
  const reason = dialReasons[cause.code ?? ''] ?? cause.code ?? 'failed'
  return new RystraError('connect.unreachable', { detail: `unix ${port}, ${reason}`, cause })
}

/** What happens when the signal was aborted. */
export const givenUp = (): Error => Object.assign(new Error('given up'), { code: 'ABORT_ERR' })
