import { defineExtension } from '@rystra/plugin'
import { DirectClient } from './client.js'
import { DirectOptions } from './options.js'
import { DirectServer } from './server.js'

/**
 * No multiplexing: every stream is a transport connection of its own to the same port. The client dials them on
 * request, and a pool of idle ones is kept. Gives the highest throughput.
 */
export default defineExtension({
  name: 'mux-direct',
  options: DirectOptions,
  setup({ registries, options }) {
    registries.muxers.add({
      name: 'direct',
      wrap: (link, side, host) =>
        side === 'server' ? new DirectServer(link, host, options) : new DirectClient(link, host)
    })
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/mux-direct': Partial<DirectOptions>
  }
}
