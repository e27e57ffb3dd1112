import { isRystraError } from '@rystra/model'

/** `code: message` of what a promise rejects with. */
export const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it went well',
    (error: unknown) => (isRystraError(error) ? `${error.code}: ${error.message}` : String(error))
  )
