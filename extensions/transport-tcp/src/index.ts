import { dialFields, dialTcp } from '@rystra/net'
import { defineExtension, Type } from '@rystra/plugin'
import { linkOf } from './link.js'
import { TcpOptions } from './options.js'

/** Every link of the protocol begins so, whatever the version: see framework/protocol/SPEC.md. */
const MAGIC = Buffer.from('RYS')

/** Links over plain TCP, RFC 9293. Nothing is encrypted: use a TLS transport where others can listen. */
export default defineExtension({
  name: 'transport-tcp',
  options: TcpOptions,
  setup({ registries, options }) {
    registries.transports.add({
      name: 'tcp',
      dialOptions: Type.Object(dialFields),
      listen: ({ host, port }, onLink, signal, ports) =>
        ports.listenTcp(
          {
            host,
            port,
            ...options,
            recognises: (head) => {
              const length = Math.min(head.length, MAGIC.length)
              if (!head.subarray(0, length).equals(MAGIC.subarray(0, length))) return false
              return length === MAGIC.length ? true : undefined
            },
            onSocket: (socket) => onLink(linkOf(socket))
          },
          signal
        ),
      dial: async (to, signal) => linkOf(await dialTcp({ ...to, keepAlive: options.keepAlive }, signal))
    })
  }
})
