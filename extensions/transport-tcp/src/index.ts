import { dialFields, dialTcp, peerOf, tcpFields } from '@rystra/net'
import { type ByteLink, defineExtension, type Static, Type } from '@rystra/plugin'
import type { Socket } from 'node:net'

/** The first bytes of every link, whatever the version: see framework/protocol/SPEC.md. */
const MAGIC = Buffer.from('RYS')

const linkOf = (socket: Socket): ByteLink => ({ kind: 'bytes', duplex: socket, peer: peerOf(socket) })

const tcpOptions = Type.Object(tcpFields)

/** Links over plain TCP, RFC 9293. Nothing is encrypted: use a TLS transport on untrusted networks. */
export default defineExtension({
  name: 'transport-tcp',
  options: tcpOptions,
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

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/transport-tcp': Partial<Static<typeof tcpOptions>>
  }
}
