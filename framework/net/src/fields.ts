import { Type } from '@rystra/plugin'

/** Options of every transport on TCP: spread them into its own. */
export const tcpFields = {
  keepAlive: Type.Integer({
    default: 15_000,
    minimum: 1000,
    description:
      'Milliseconds without traffic after which the kernel sends TCP keep-alive probes. Default: 15000, below the 20 s after which strict NATs and firewalls drop a mapping.'
  }),
  backlog: Type.Integer({
    default: 4096,
    minimum: 1,
    description:
      'Connections that may wait to be accepted, for the time after a restart when all clients reconnect. Default: 4096; the kernel may cap it (net.core.somaxconn).'
  })
}

/** Fields of `client.connect` that every transport over TCP has: spread them into its `dialOptions`. */
export const dialFields = {
  proxy: Type.Optional(
    Type.String({
      title: '`none`, or the address of a proxy like http://user:password@host:3128 or socks5h://host:1080',
      pattern: '^(none|([Hh][Tt][Tt][Pp][Ss]?|[Ss][Oo][Cc][Kk][Ss](5[Hh]?)?)://[^\\s]+)$',
      description:
        'Proxy to dial through: `http://user:password@host:3128`, `https://…`, `socks5h://…` (the proxy resolves names) or ' +
        '`socks5://…` (this machine resolves them, if it can); `none` for no proxy. Default: HTTPS_PROXY, ALL_PROXY and ' +
        'NO_PROXY of the environment.'
    })
  )
}

/** Field of addresses that an extension listens on: hand it on to {@link ListenHost.listenTcp}. */
export const proxyProtocolFrom = Type.Optional(
  Type.Array(Type.String({ title: 'an address or a network such as 10.0.0.0/8', minLength: 2, maxLength: 64 }), {
    minItems: 1,
    maxItems: 256,
    description:
      'Addresses and networks of load balancers whose connections begin with a header of the PROXY protocol, version 1 or 2: the address in it is that of the visitor. Their connections without a header are closed. Default: none.'
  })
)
