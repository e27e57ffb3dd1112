import { emptyRuntime, RystraError, silentLog } from '@rystra/plugin'
import { createApi } from './app.js'
import { EventHub } from './event-hub.js'
import { Forwarded } from './forwarded.js'
import { Gate } from './gate.js'
import { Tokens } from './tokens.js'
import { version } from './version.js'
import type { Kinds } from './views.js'

/** The OpenAPI document of an API without routes of extensions. */
export const makeDocument = async (): Promise<object> => {
  const runtime = emptyRuntime('server')
  const clock = { now: Date.now, after: () => () => {} }
  const kinds: Kinds = {
    has: () => false,
    get: (kind) => {
      throw new RystraError('registry.unknown', { detail: kind })
    }
  }
  const api = await createApi({
    runtime,
    clock,
    metrics: { snapshot: () => [] },
    log: silentLog,
    version,
    hub: new EventHub(runtime, silentLog, clock, 1, kinds),
    forwarded: new Forwarded(runtime),
    gate: new Gate({ tokens: new Tokens([]), hosts: [], now: clock.now }),
    kinds,
    draining: () => false,
    extensionRoutes: () => []
  })
  try {
    return api.swagger()
  } finally {
    await api.close()
  }
}
