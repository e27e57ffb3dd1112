import { defineExtension, Type } from '@rystra/plugin'
import { clientTlsFields, serverTlsFields } from '@rystra/tls'
import { dial } from './dial.js'
import { listen } from './listen.js'
import { QuicOptions } from './options.js'
import { Tickets } from './tickets.js'

/**
 * Links over QUIC, RFC 9000: streams and messages on one UDP connection, always encrypted. A lost packet holds up no
 * other stream, a link outlives a change of address, and a client that comes back says its Hello in the first packet.
 */
export default defineExtension({
  name: 'transport-quic',
  options: QuicOptions,
  setup({ registries, options, dir, stateDir, log, clock }) {
    const tickets = new Tickets()
    const world = { dir, stateDir, log, clock, options }
    registries.transports.add({
      name: 'quic',
      listenOptions: Type.Object(serverTlsFields),
      dialOptions: Type.Object(clientTlsFields),
      listen: (to, onLink, signal) => listen(to, onLink, signal, world),
      dial: (to, signal) => dial(to, signal, world, tickets)
    })
  }
})
