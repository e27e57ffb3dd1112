import type { Client } from '@rystra/client'
import { formatDuration, type Feed } from './feed.js'

/** A server nearby answers within milliseconds, one far away within half a second. */
const SILENCE_MS = 2000

/** Says what a client waits for when a server has not answered for two seconds: time-outs are longer. */
export const feedSilence = (feed: Feed, client: Client, server: string, transport: string): void => {
  let timer: NodeJS.Timeout | undefined
  let noted = false
  const wait = (ms: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      const waited = formatDuration(SILENCE_MS)
      feed.event('waiting', { server })
      // Once for each outage: later tries are as silent.
      if (noted) return
      noted = true
      feed.note(
        `no answer from ${server} after ${waited}: still waiting. It has to be a Rystra server that speaks ${transport} (Ctrl-C gives up)`
      )
    }, ms).unref()
  }
  const answered = (): void => clearTimeout(timer)
  wait(SILENCE_MS)
  client.on('connected', () => {
    noted = false
    answered()
  })
  client.on('reconnecting', ({ delay }) => wait(delay + SILENCE_MS))
  void client.closed.then(answered, answered)
}
