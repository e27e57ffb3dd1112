import type { ListenHost } from '@rystra/plugin'
import type { Socket } from 'node:net'
import { type Face, faceOf } from './accepted-sockets.js'
import type { SharedPorts } from './shared-ports.js'

/** A gate in front of listeners: connections wait in their order until it is opened. */
export interface PortGate {
  readonly ports: ListenHost
  /** A handler that throws ends its connection and nothing else. */
  open(): void
  /** Closes the connections that still wait: the gate is not opened any more. */
  close(): void
}

/** Binds at once, and hands connections over once the gate is open: what serves them is not ready before. */
export const gatedPorts = (
  ports: Pick<SharedPorts, 'listenTcp' | 'accepted' | 'returning' | 'awaits' | 'otherProcess'>
): PortGate => {
  let waiting: Map<Socket, () => void> | undefined = new Map()
  return {
    ports: {
      get returning() {
        return ports.returning
      },
      awaits: (name) => ports.awaits(name),
      get otherProcess() {
        return ports.otherProcess
      },
      listenTcp: (options, signal) =>
        ports.listenTcp(
          {
            ...options,
            recognises: (head) => options.recognises(head),
            onSocket: (socket: Socket) => {
              if (waiting === undefined) {
                options.onSocket(socket)
                return
              }
              // An error before it is handed over ends the connection alone.
              const failed = (): void => void socket.destroy()
              socket.on('error', failed)
              waiting.set(socket, () => {
                if (signal.aborted || socket.destroyed) {
                  socket.destroy()
                  return
                }
                socket.off('error', failed)
                ports.accepted.handOver(socket, faceOf(socket) as Face, (accepted) => options.onSocket(accepted))
              })
            }
          },
          signal
        )
    },
    open: () => {
      const gone = waiting?.values() ?? []
      waiting = undefined
      for (const go of gone) go()
    },
    close: () => {
      for (const socket of waiting?.keys() ?? []) socket.destroy()
      waiting = undefined
    }
  }
}
