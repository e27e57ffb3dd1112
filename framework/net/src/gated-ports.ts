import type { ListenHost } from '@rystra/plugin'
import type { Socket } from 'node:net'

/** A gate in front of listeners: connections wait in their order until it is opened. */
export interface PortGate {
  readonly ports: ListenHost
  open(): void
}

/** Binds at once, and hands connections over once the gate is open: what serves them is not ready before. */
export const gatedPorts = (ports: ListenHost): PortGate => {
  let waiting: (() => void)[] | undefined = []
  return {
    ports: {
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
              waiting.push(() => {
                socket.off('error', failed)
                if (signal.aborted) socket.destroy()
                else if (!socket.destroyed) options.onSocket(socket)
              })
            }
          },
          signal
        )
    },
    open: () => {
      const gone = waiting ?? []
      waiting = undefined
      for (const go of gone) go()
    }
  }
}
