import type { Deny, PublishHost, RequestContext, Respond } from '@rystra/plugin'
import { checkHooked } from './context.js'
import { flat } from './fields.js'

/** What is done with a request after its hooks. */
export interface HookedRequest {
  pass(): void
  answer(given: Deny | Respond): void
  fail(error: unknown): void
  /** Whether it ended while a hook was asked. */
  isOver(): boolean
}

/** Calls the hooks of a request: without a promise where no tap is asynchronous. Throws what it cannot pass then. */
export const callRequestHooks = (
  hooks: PublishHost['hooks'],
  context: RequestContext,
  request: HookedRequest
): void => {
  if (!hooks.tapsRequests) {
    request.pass()
    return
  }
  const before = flat(context.headers)
  const done = (given: Deny | Respond | undefined): void => {
    if (request.isOver()) return
    if (given !== undefined) request.answer(given)
    else {
      checkHooked(context, before)
      request.pass()
    }
  }
  const answer = hooks.request(context)
  if (answer === undefined) done(undefined)
  else answer.then(done).catch(request.fail)
}
