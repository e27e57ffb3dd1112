import { defineExtension, Type } from '@rystra/plugin'
import { clientTlsFields, provesServer, serverTlsFields } from '@rystra/tls'
import { dial } from './dial.js'
import { listen } from './listen.js'
import { QuicOptions } from './options.js'
import { SocketDrops } from './socket-drops.js'
import { Tickets } from './tickets.js'

/** Logged where the transport is used, and shown by `rystra check`. */
const EXPERIMENTAL =
  'quic is experimental: its only binding has a quiche of 2023 with open vulnerabilities; prefer tls or wss where UDP is not required'

/**
 * Links over QUIC, RFC 9000 (experimental): encrypted streams and datagrams on one UDP connection. A lost packet delays
 * no other stream, a link survives a change of address, and a reconnecting client sends its Hello in the first packet.
 */
export default defineExtension({
  name: 'transport-quic',
  options: QuicOptions,
  advise: () => [EXPERIMENTAL],
  setup({ registries, options, dir, stateDir, log, clock, metrics }) {
    const tickets = new Tickets()
    const drops = new SocketDrops(metrics)
    let isWarned = false
    const warnOnce = (): void => {
      if (!isWarned) log.warn(EXPERIMENTAL)
      isWarned = true
    }
    const host = { dir, stateDir, log, clock, options, drops }
    registries.transports.add({
      name: 'quic',
      listenOptions: Type.Object(serverTlsFields),
      dialOptions: Type.Object(clientTlsFields),
      provesServer,
      listen: (to, onLink, signal) => {
        warnOnce()
        return listen(to, onLink, signal, host)
      },
      dial: (to, signal) => {
        warnOnce()
        return dial(to, signal, host, tickets)
      }
    })
    return { stop: () => drops.close() }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/transport-quic': Partial<QuicOptions>
  }
}
