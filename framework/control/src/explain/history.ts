import type { PastRefusal, RuntimeEvent, RuntimeEvents } from '@rystra/plugin'

/** Events that are looked at: as many as an end keeps. */
const MAX_EVENTS = 1024

/** Refusals that are reported. */
const MAX_REFUSALS = 10

/** What has happened, the newest first. */
export const newestFirst = (events: RuntimeEvents): readonly RuntimeEvent[] =>
  events.since(Math.max(0, events.sequence - MAX_EVENTS))?.toReversed() ?? []

/** The last refusals of streams of these proxies. */
export const refusalsOf = (events: readonly RuntimeEvent[], ids: ReadonlySet<string>): PastRefusal[] =>
  events
    .flatMap((event): PastRefusal[] => {
      if (event.type !== 'refused' || event.what !== 'stream' || event.proxy === undefined) return []
      const { session, proxy, time, subject, error } = event
      const id = session === undefined ? proxy.name : `${session.id}.${proxy.name}`
      return ids.has(id) || ids.has(proxy.name) ? [{ time, subject, code: error.code, message: error.message }] : []
    })
    .slice(0, MAX_REFUSALS)
