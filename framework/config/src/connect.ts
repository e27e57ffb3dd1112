import { Type } from '@rystra/model/schema'
import { defaulted, open } from './schema.js'
import { serverEntrySchema } from './server-entry.js'
import { address, host, text, word } from './words.js'

/** Schema of {@link ConnectConfig}. */
export const connectSchema = open(
  Type.Object({
    transport: defaulted(word('Name of a registered transport.'), 'tcp'),
    host: Type.Optional(
      host('Host name or address of the server; or one of `servers`, `srv` and `discover` in its place.')
    ),
    discover: Type.Optional(
      text('1 to 63 bytes', {
        minLength: 1,
        maxLength: 63,
        description:
          'Name under which servers announce themselves on the local network, instead of `host` and `port`. Needs a ' +
          'discovery, such as @rystra/discovery-mdns. Default: no discovery.'
      })
    ),
    servers: Type.Optional(
      Type.Array(serverEntrySchema, {
        minItems: 1,
        maxItems: 64,
        description:
          'Servers in place of `host`: `host[:port]`, or an object with further fields of the transport for one of them. The client ' +
          'stays with one, begins with a random one, and goes to the next at once when it is lost. Default: none.'
      })
    ),
    srv: Type.Optional(
      text('the name of SRV records, such as _rystra._tcp.example.net', {
        maxLength: 253,
        pattern: '^_[A-Za-z0-9-]{1,62}\\._(tcp|udp)(\\.[A-Za-z0-9_-]{1,63})+\\.?$',
        description:
          'Name of DNS SRV records that list the servers, in place of `host` and `port`; their priorities and weights apply. ' +
          'Targets outside the domain of the name are used only with `fingerprint`, `ca` or `serverName`. Default: none.'
      })
    ),
    port: defaulted(
      Type.Integer({ minimum: 1, maximum: 65535 }),
      7000,
      'Port of the server, and of each entry of `servers` without one.'
    ),
    address: address(
      'Address of the server on a transport without hosts and ports, such as a path, in place of `host` and `port`. Default: none.'
    ),
    muxer: Type.Optional(
      word('Name of a registered muxer. Default: yamux, or the first registered muxer if there is no yamux.')
    )
  })
)
