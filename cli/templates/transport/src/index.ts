import { type ByteLink, defineExtension, RystraError, Type } from '@rystra/plugin'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** The first bytes of every link. They tell this transport from others that share its port. */
const magic = Buffer.from('RYS')

const linkOf = (socket: Socket): ByteLink => ({
  kind: 'bytes',
  duplex: socket,
  // Read now: a closed socket has no address.
  peer: { address: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 }
})

/** Carries links over TCP: the place to wrap the socket of either end into something else. */
export default defineExtension({
  name: 'my-extension',
  options: Type.Object({
    backlog: Type.Integer({ default: 511, minimum: 1, description: 'Connections that may wait to be accepted.' })
  }),
  setup({ registries, options }) {
    registries.transports.add({
      name: 'my-word',
      listen: ({ host, port }, onLink, signal, ports) =>
        ports.listenTcp(
          {
            host,
            port,
            backlog: options.backlog,
            recognises: (head) => {
              const length = Math.min(head.length, magic.length)
              if (!head.subarray(0, length).equals(magic.subarray(0, length))) return false
              return length === magic.length ? true : undefined
            },
            onSocket: (socket) => onLink(linkOf(socket))
          },
          signal
        ),
      dial: async ({ host, port }, signal) => {
        let socket: Socket | undefined
        try {
          signal.throwIfAborted()
          socket = connect({ host, port, allowHalfOpen: true, noDelay: true })
          await once(socket, 'connect', { signal })
          return linkOf(socket)
        } catch (cause) {
          socket?.on('error', () => undefined).destroy()
          const reason = cause instanceof Error ? cause.message : String(cause)
          throw new RystraError('connect.unreachable', { detail: reason, cause })
        }
      }
    })
  }
})
