import type { ResolvedServer } from '@rystra/config'
import type { GenerationRef } from '@rystra/kernel'
import type { PlanItem } from '@rystra/plugin'
import { toRystraError } from '@rystra/model'
import type { ServerSession } from './server-session.js'
import { reviewSession } from './session-review.js'

type Registries = Pick<GenerationRef['registries'], 'proxies' | 'authenticators'>

/** Ids of streams that a plan names at most. */
const MAX_NAMED = 100

/** What of that which runs a configuration would touch: proxies, and sessions that would no longer be accepted. */
export const touchedBy = (
  { publish }: ResolvedServer,
  registries: Registries,
  sessions: Iterable<ServerSession>
): PlanItem[] => {
  const items: PlanItem[] = []
  for (const session of sessions) {
    const { info, proxies } = session
    const ended = endOf(session, registries)
    if (ended !== undefined) items.push(ended)
    for (const proxy of proxies.values()) {
      const { spec, pushed } = proxy
      const review = proxy.review(registries.proxies, publish)
      const item = { subject: 'proxy', name: `${info.client.id}/${spec.name}` } as const
      const by = pushed === undefined ? {} : { detail: `added by ${pushed.origin.by ?? 'the server'}` }
      if (review === undefined) items.push({ action: 'keep', ...item, ...by })
      else {
        const action = review.code === 'proxy.changed' ? 'change' : 'remove'
        items.push({ action, ...item, detail: review.message })
      }
    }
  }
  return items
}

const endOf = (session: ServerSession, { authenticators }: Registries): PlanItem | undefined => {
  try {
    reviewSession(session, authenticators)
    return undefined
  } catch (error) {
    const open = [...session.streams.open.keys()]
    return {
      action: 'remove',
      subject: 'session',
      name: `${session.info.client.id} ${session.id}`,
      detail: toRystraError(error).message,
      sessions: 1,
      ...(open.length === 0 ? {} : { streams: open.length, cuts: open.slice(0, MAX_NAMED) })
    }
  }
}
