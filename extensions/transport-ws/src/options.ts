import { dialFields } from '@rystra/net'
import { clientTlsFields, serverTlsFields } from '@rystra/tls'
import { type Static, Type } from '@rystra/plugin'
import { DEFAULT_PATH } from './limits.js'

/** Headers that the WebSocket handshake itself is made of. */
const ownHeaders = ['connection', 'upgrade', 'content-length', 'transfer-encoding', 'expect', 'te', 'trailer']

/** A pattern for a word in any case: JSON Schema has no flag for it. */
const anyCase = (word: string): string => word.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`)

const headerName = `^(?!(${ownHeaders.map(anyCase).join('|')})$)(?!${anyCase('sec-websocket-')})[!#$%&'*+.^_\`|~0-9A-Za-z-]+$`

const address = '(https?://)?(\\[[0-9A-Fa-f:.]+\\]|[^\\s/:\\[\\]]+):[0-9]{1,5}/?'

const terminated = (description: string) => Type.Boolean({ default: false, description })

const listenFields = {
  path: Type.String({
    default: DEFAULT_PATH,
    pattern: '^/[!"$-;=@-~]*$',
    description: 'The path at which links are accepted.'
  }),
  trustProxy: Type.Array(Type.String({ minLength: 2 }), {
    default: [],
    description:
      'Addresses and networks (`10.0.0.0/8`) of reverse proxies whose X-Forwarded-For is believed. Without it the address of a client behind one is that of the proxy.'
  }),
  fallback: Type.Optional(
    Type.String({
      pattern: `^(${address.replace('https?', 'http')}|unix:.+)$`,
      description:
        'HTTP server that gets every request that is not for a link, so that both share the port: `127.0.0.1:8080`, `http://127.0.0.1:8080` or `unix:/run/app.sock`. Without it they are answered with 404.'
    })
  )
}

const dialWsFields = {
  path: Type.String({
    default: DEFAULT_PATH,
    pattern: '^/[!"$-~]*$',
    description: 'The path to ask for, with a query if a gateway wants one.'
  }),
  headers: Type.Optional(
    Type.Record(
      Type.String({ pattern: headerName }),
      Type.String({ pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$', maxLength: 8192 }),
      {
        additionalProperties: false,
        description: 'Headers to send besides: credentials of a gateway, `Host` of a front, `Origin`.'
      }
    )
  ),
  ...dialFields
}

export const ListenWs = Type.Object(listenFields)
export const ListenWss = Type.Object({
  ...listenFields,
  ...serverTlsFields,
  tlsTerminated: terminated(
    'The TLS that comes here is that of a reverse proxy and not of the client: nothing is concluded from it.'
  )
})
export const DialWs = Type.Object(dialWsFields)
export const DialWss = Type.Object({
  ...dialWsFields,
  ...clientTlsFields,
  tlsTerminated: terminated(
    'TLS ends in front of the server, at a reverse proxy or CDN that has to be trusted with everything: authentication is not bound to it.'
  )
})

export type ListenWs = Static<typeof ListenWs>
export type ListenWss = Static<typeof ListenWss>
export type DialWs = Static<typeof DialWs>
export type DialWss = Static<typeof DialWss>
