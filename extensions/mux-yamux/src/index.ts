import { defineExtension } from '@rystra/plugin'
import { YamuxOptions } from './options.js'
import { YamuxSession } from './session.js'

/**
 * Multiplexes one link by yamux, wire-compatible with hashicorp/yamux. A new stream costs twelve bytes and no round
 * trip.
 */
export default defineExtension({
  name: 'mux-yamux',
  options: YamuxOptions,
  setup({ registries, options }) {
    registries.muxers.add({
      name: 'yamux',
      wrap: (link, side, host) => new YamuxSession(link, side, options, host.log)
    })
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/mux-yamux': Partial<YamuxOptions>
  }
}
