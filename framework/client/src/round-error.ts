import { RystraError } from '@rystra/model'
import type { KnownServer } from './known-server.js'

/** A server that could not be connected to. */
export interface Failure {
  readonly server: KnownServer
  readonly error: RystraError
}

/**
 * Why none of several servers could be connected to. It can pass by itself as soon as that of one server can; what each
 * one's is, is in the detail.
 */
export const roundError = (failures: readonly Failure[]): RystraError => {
  const shown = failures.find(({ error }) => error.retryable && error.code !== 'session.duplicate') ?? failures.at(-1)
  const { code, hint, side } = (shown as Failure).error
  const detail = failures.map(({ server, error }) => `${server.name}: ${error.message}`).join('; ')
  const causes = failures.map(({ error }) => error)
  return new RystraError(code, {
    detail,
    hint,
    ...(side === undefined ? {} : { side }),
    cause: new AggregateError(causes)
  })
}
