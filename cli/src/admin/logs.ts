import { isRystraError } from '@rystra/model'
import type { AdminApi } from './admin-api.js'
import type { ServerSentEvent } from './server-sent-events.js'
import { eventText } from './event-text.js'
import { writeLine } from './write-line.js'

/** Milliseconds before a lost connection is made again. */
const RETRY_MS = 1000

/** What {@link follow} shows. */
export interface FollowOptions {
  readonly streams: boolean
  /** @default all */
  readonly types?: readonly string[] | undefined
  readonly json: boolean
}

const pause = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) {
      resolve()
      return
    }
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, RETRY_MS)
    signal.addEventListener('abort', done)
  })

/** Whether a reader that had begun may try again: the process is busy, restarts, or is gone for a while. */
const mayTryAgain = (error: unknown): boolean => isRystraError(error) && error.retryable

/** The line of an event that is shown. */
const lineOf = ({ event, data }: ServerSentEvent, { types, json }: FollowOptions): string | undefined => {
  const isBegin = event === 'reset' && data['reason'] === 'begin'
  // The begin is nothing that happened: only a reader that has to know from when on it hears all asks for it.
  if (types === undefined ? isBegin : !types.includes(event)) return undefined
  return json ? JSON.stringify({ type: event, ...data }) : eventText(event, data)
}

/** Writes events until a signal or the end of the reader. Rejects with what the first connection fails with. */
export const follow = async (api: AdminApi, options: FollowOptions): Promise<void> => {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  process.stdout.once('error', end)
  let last: string | undefined
  let begun = false
  while (!stop.signal.aborted) {
    try {
      for await (const event of api.events({ streams: String(options.streams) }, last, stop.signal)) {
        begun = true
        last = event.id ?? last
        const line = lineOf(event, options)
        if (line !== undefined) await writeLine(line, stop.signal)
      }
    } catch (error) {
      if (!begun || !mayTryAgain(error)) throw error
    }
    if (!stop.signal.aborted) await pause(stop.signal)
  }
}
