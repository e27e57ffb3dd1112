import { isRystraError, type RystraError } from '@rystra/plugin'
import { inspect } from 'node:util'

/** The error with which a promise rejects. Throws when it does not reject, and when the error is not of Rystra. */
export const failure = async (promise: Promise<unknown>): Promise<RystraError> => {
  const error = await promise.then(
    (value) => new Error(`it did not fail, but gave ${inspect(value)}`),
    (thrown: unknown) => thrown
  )
  if (!isRystraError(error)) throw error
  return error
}
