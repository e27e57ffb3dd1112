import { defineExtension, type DialOptions, type ListenOptions, Type } from '@rystra/plugin'
import { dialFields } from '@rystra/net'
import {
  type ClientTlsOptions,
  clientTlsFields,
  provesServer,
  type ServerTlsOptions,
  serverTlsFields,
  TlsDialer
} from '@rystra/tls'
import { dialTls } from './dial.js'
import { listenTls } from './listen.js'
import { TlsTransportOptions } from './options.js'

/** Links over TLS 1.3, RFC 8446: ALPN `rystra/1`, the server verified by its certificate, clients optionally too. */
export default defineExtension({
  name: 'transport-tls',
  options: TlsTransportOptions,
  setup({ registries, options, ...host }) {
    const dialer = new TlsDialer(host)
    registries.transports.add({
      name: 'tls',
      listenOptions: Type.Object(serverTlsFields),
      dialOptions: Type.Object({ ...dialFields, ...clientTlsFields }),
      provesServer,
      listen: (to, onLink, signal, ports) =>
        listenTls({ to: to as ListenOptions & ServerTlsOptions, options, host, ports, onLink }, signal),
      dial: (to, signal) =>
        dialTls({ to: to as DialOptions & ClientTlsOptions, options, dialer, clock: host.clock }, signal)
    })
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/transport-tls': Partial<TlsTransportOptions>
  }
}
