import { dialFields } from '@rystra/net'
import { defineExtension, Type } from '@rystra/plugin'
import { clientTlsFields, provesServer, serverTlsFields, TlsDialer } from '@rystra/tls'
import { type DialParts, dialHttp2 } from './dial.js'
import { type ListenParts, listenH2c, listenHttp2 } from './listen.js'
import { Http2Options, listenFields, requestFields } from './options.js'

type To = DialParts['to']
type At = ListenParts['to']

/**
 * Links as streams of HTTP/2, RFC 9113: `http2` over TLS, and `h2c` without it. No muxer is needed, and proxies that know
 * HTTP/2 let it through.
 */
export default defineExtension({
  name: 'transport-http2',
  options: Http2Options,
  setup({ registries, options, ...host }) {
    const { clock } = host
    const dialer = new TlsDialer(host)
    registries.transports.add({
      name: 'http2',
      listenOptions: Type.Object({ ...listenFields, ...serverTlsFields }),
      dialOptions: Type.Object({ ...dialFields, ...requestFields, ...clientTlsFields }),
      provesServer,
      listen: (to, onLink, signal, ports) => listenHttp2({ to: to as At, options, host, ports, onLink }, signal),
      dial: (to, signal) => dialHttp2({ to: to as To, options, clock, dialer }, signal)
    })
    registries.transports.add({
      name: 'h2c',
      listenOptions: Type.Object(listenFields),
      dialOptions: Type.Object({ ...dialFields, ...requestFields }),
      listen: (to, onLink, signal, ports) => listenH2c({ to: to as At, options, host, ports, onLink }, signal),
      dial: (to, signal) => dialHttp2({ to: to as To, options, clock }, signal)
    })
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/transport-http2': Partial<Http2Options>
  }
}
