import { placeOf } from '@rystra/kernel'
import { type Logger, silentLog } from '@rystra/model'
import { inspect } from 'node:util'

/** Events of which a warning was given: one for each is enough. */
const warned = new Set<string>()

/** Tells what a listener of a program threw: to the log or, where none was given, as a warning of the process. */
export const listenerThrew = (log: Logger, err: unknown, event: string, message: string): void => {
  if (log !== silentLog) {
    const at = placeOf(err)
    log.error({ err, event, ...(at === undefined ? {} : { at }) }, message)
    return
  }
  if (warned.has(event)) return
  warned.add(event)
  process.emitWarning(`${message} (${event}): ${inspect(err)}`, 'RystraWarning')
}
