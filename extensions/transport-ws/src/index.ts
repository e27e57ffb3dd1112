import { defineExtension, type DialOptions } from '@rystra/plugin'
import { provesServer, TlsDialer } from '@rystra/tls'
import { dialWs, dialWss } from './dial.js'
import { listenWs, listenWss } from './listen.js'
import * as fields from './options.js'

/** Links over WebSocket, RFC 6455, with and without TLS: through HTTP proxies, reverse proxies and CDNs. */
export default defineExtension({
  name: 'transport-ws',
  options: fields.WsOptions,
  setup({ registries: { transports }, options: { pingInterval }, dir, stateDir, log, clock }) {
    const host = { dir, stateDir, log, clock }
    const dialing = { clock, pingInterval }
    const dialer = new TlsDialer(host)
    transports.add({
      name: 'ws',
      listenOptions: fields.ListenWs,
      dialOptions: fields.DialWs,
      listen: (options, onLink, signal, ports) => listenWs(options, { onLink, signal, ports, host, pingInterval }),
      dial: (to, signal) => dialWs(to as DialOptions & fields.DialWs, signal, dialing)
    })
    transports.add({
      name: 'wss',
      listenOptions: fields.ListenWss,
      dialOptions: fields.DialWss,
      provesServer,
      listen: (options, onLink, signal, ports) => listenWss(options, { onLink, signal, ports, host, pingInterval }),
      dial: (to, signal) => dialWss(to as DialOptions & fields.DialWss, signal, dialing, dialer)
    })
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/transport-ws': Partial<fields.WsOptions>
  }
}
