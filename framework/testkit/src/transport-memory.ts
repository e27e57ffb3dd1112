import { defineExtension, type Extension } from '@rystra/plugin'
import { MemoryNetwork } from './network.js'
import type { MemoryStreamsNetwork } from './streams-network.js'

/**
 * The extension `transport-memory` on a network of its own. Give the same one to the server and its clients.
 *
 * @example
 * memoryTransport(new MemoryStreamsNetwork()) // registers the transport `memory-streams`
 */
export const memoryTransport = (network: MemoryNetwork | MemoryStreamsNetwork = new MemoryNetwork()): Extension =>
  defineExtension({
    name: 'transport-memory',
    setup({ registries }) {
      registries.transports.add(network)
    }
  }) as Extension

/** The extension `transport-memory` on the one network of this process. */
export const transportMemory: Extension = memoryTransport()
