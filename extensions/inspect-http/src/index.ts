import { defineExtension } from '@rystra/plugin'
import { secretNames } from './mask.js'
import { type InspectOptions, inspectOptions } from './options.js'
import { Replayer } from './replay.js'
import { Ring } from './ring.js'
import { inspectRoutes } from './routes.js'

export type { InspectOptions } from './options.js'
export type { ExchangeSummary, ExchangeView } from './view.js'

/** The last HTTP requests of this end with their responses: to look at, to search, and to send again. For both ends. */
export default defineExtension({
  name: 'inspect-http',
  options: inspectOptions,
  errors: {
    'not-found': { text: 'this request is not kept', retryable: false, hint: 'list them again: the oldest go first' },
    truncated: {
      text: 'a request with a body that was not kept as a whole cannot be sent again',
      retryable: false,
      hint: 'give a body, or raise `body` of inspect-http and repeat the request'
    },
    upgraded: {
      text: 'a request that changed the protocol cannot be sent again',
      retryable: false,
      hint: 'connect once more with the program that sent it'
    },
    busy: { text: 'too many requests are being sent again', retryable: true, hint: 'try again when they are over' }
  },
  setup({ registries, options, clock, previous, error }) {
    const { proxies, mask } = options
    const ring = previous instanceof Ring ? previous : new Ring(options, () => clock.now())
    ring.options = options
    const isSecret = secretNames(mask)
    const watched = proxies === undefined ? undefined : new Set(proxies)
    registries.httpObservers.add({
      name: 'inspect-http',
      begin: (request) => (watched?.has(request.proxy.name) === false ? undefined : ring.add(request))
    })
    registries.adminRoutes.add(inspectRoutes({ ring, replayer: new Replayer(ring, error), isSecret, error }))
    return { handover: () => ring }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/inspect-http': Partial<InspectOptions>
  }
}
