import { type EventEmitter, once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import tls from 'node:tls'

export const host = '127.0.0.1'

/** The port that it listens on from now on. */
export const listened = async (server: net.Server): Promise<number> => {
  server.listen(0, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

export const connected = async (port: number, file?: string): Promise<net.Socket> => {
  const socket = net.connect({ ...(file === undefined ? { port, host } : { path: file }), allowHalfOpen: true })
  await once(socket, 'connect')
  return socket
}

export const secured = async (port: number, servername: string, alpn: string[]): Promise<net.Socket> => {
  const below = await connected(port)
  const socket = tls.connect({ socket: below, servername, ALPNProtocols: alpn, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  return Object.assign(socket, { below })
}

/** A peer that is dialed, or a service that is reached: each connection is a hostile one. */
export class Hostile {
  readonly server: net.Server
  readonly #waiting: ((socket: net.Socket) => void)[] = []

  constructor() {
    this.server = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      const next = this.#waiting.shift()
      if (next === undefined) socket.destroy()
      else next(socket)
    })
  }

  /** The next connection. Rejects when `unlessClosed` has closed by then. */
  next(unlessClosed?: EventEmitter): Promise<net.Socket> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve)
      unlessClosed?.once('close', () => {
        const at = this.#waiting.indexOf(resolve)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(new Error('another case has the connection'))
      })
    })
  }
}
