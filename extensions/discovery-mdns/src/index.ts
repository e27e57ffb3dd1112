import { defineExtension } from '@rystra/plugin'
import { MdnsDiscovery } from './mdns-discovery.js'
import { mdnsOptions } from './options.js'

export type { MdnsOptions } from './options.js'

/** Servers announced and found on the local network by mDNS. */
export default defineExtension({
  name: 'discovery-mdns',
  options: mdnsOptions,
  setup({ registries, options, role, clock, log }) {
    const discovery = new MdnsDiscovery(options, clock, log)
    registries.discoveries.add(discovery)
    if (role === 'client') return undefined
    const stop = new AbortController()
    return {
      async start() {
        const announced = options.announce.map((each) => discovery.announce(each, stop.signal))
        for (const { status, reason } of (await Promise.allSettled(announced)) as PromiseRejectedResult[]) {
          // Those who know the address can still connect.
          if (status === 'rejected') log.warn({ err: reason }, 'the server is not announced')
        }
      },
      async stop() {
        stop.abort()
        await discovery.settled()
      }
    }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/discovery-mdns': Partial<import('./options.js').MdnsOptions>
  }
}
