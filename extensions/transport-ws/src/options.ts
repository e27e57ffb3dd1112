import { httpEndpointField } from '@rystra/address'
import { dialFields } from '@rystra/net'
import { clientTlsFields, serverTlsFields } from '@rystra/tls'
import { type Static, Type } from '@rystra/plugin'
import { DEFAULT_PATH } from './limits.js'

/** Headers that the WebSocket handshake sets itself. */
const ownHeaders = ['connection', 'upgrade', 'content-length', 'transfer-encoding', 'expect', 'te', 'trailer']

/** A case-insensitive pattern: JSON Schema has no flag for it. */
const anyCase = (word: string): string => word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

const headerName = `^(?!(${ownHeaders.map(anyCase).join('|')})$)(?!${anyCase('sec-websocket-')})[!#$%&'*+.^_\`|~0-9A-Za-z-]+$`

const terminated = (description: string) => Type.Boolean({ default: false, description })

const listenFields = {
  path: Type.String({
    default: DEFAULT_PATH,
    title: 'a path that begins with /, without ? and #, such as /rystra',
    pattern: '^/[!"$-;=@-~]*$',
    description: `Request path of links. Default: ${DEFAULT_PATH}.`
  }),
  trustProxy: Type.Array(Type.String({ minLength: 2 }), {
    default: [],
    description:
      'Addresses and networks (`10.0.0.0/8`) of reverse proxies whose X-Forwarded-For is trusted. Default: none; clients behind a proxy then have its address.'
  }),
  fallback: Type.Optional(
    httpEndpointField(
      'HTTP server for all other requests on the port: `127.0.0.1:8080`, `http://127.0.0.1:8080` or `unix:/run/app.sock`. Default: they get 404.'
    )
  )
}

const dialWsFields = {
  path: Type.String({
    default: DEFAULT_PATH,
    title: 'a path that begins with /, without #, such as /rystra',
    pattern: '^/[!"$-~]*$',
    description: `Request path, which may have a query. Default: ${DEFAULT_PATH}.`
  }),
  headers: Type.Optional(
    Type.Record(
      Type.String({ pattern: headerName }),
      Type.String({
        title: 'a header value of printable characters',
        pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$',
        maxLength: 8192
      }),
      {
        title: 'header names that the handshake does not set itself, such as X-Token',
        additionalProperties: false,
        description: 'Additional request headers: credentials of a gateway, `Host`, `Origin`. Default: none.'
      }
    )
  ),
  ...dialFields
}

/** Options of the extension. */
export const WsOptions = Type.Object({
  pingInterval: Type.Integer({
    default: 15_000,
    minimum: 0,
    description:
      'Milliseconds between two WebSocket pings, so that proxies keep silent links open. Default: 15000, below the 20 s of strict proxies; 0 for no pings.'
  })
})
export const ListenWs = Type.Object(listenFields)
export const ListenWss = Type.Object({
  ...listenFields,
  ...serverTlsFields,
  tlsTerminated: terminated(
    'Whether TLS connections come from a reverse proxy: client certificates and channel binding are ignored. Default: false.'
  )
})
export const DialWs = Type.Object(dialWsFields)
export const DialWss = Type.Object({
  ...dialWsFields,
  ...clientTlsFields,
  tlsTerminated: terminated(
    'Whether TLS ends at a reverse proxy or CDN in front of the server, which can read all traffic: authentication is not bound to TLS. Default: false.'
  )
})

export type WsOptions = Static<typeof WsOptions>
export type ListenWs = Static<typeof ListenWs>
export type ListenWss = Static<typeof ListenWss>
export type DialWs = Static<typeof DialWs>
export type DialWss = Static<typeof DialWss>
