import { toRystraError } from './error.js'
import type { Logger } from './log.js'

/**
 * Runs work that no caller waits for. What it rejects with is logged, and ends nothing else: left unhandled it would end the
 * process.
 *
 * @param failure Logged with the error, such as "a row of the directory could not be read"
 */
export const background = (work: Promise<unknown>, log: Pick<Logger, 'error'>, failure: string): void => {
  work.catch((cause: unknown) => log.error({ err: toRystraError(cause) }, failure))
}
