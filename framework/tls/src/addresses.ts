import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

const names = ['remoteAddress', 'remotePort', 'localAddress', 'localPort'] as const

/** Identifies a connection, also from the TLS socket on top of it: what a load balancer says of its client is not looked at. */
export const connectionKey = (socket: Socket): string =>
  names.map((name) => String(Reflect.get(Socket.prototype, name, socket))).join(' ')

/** A TLS socket gets the addresses that a load balancer has given for the connection below it. */
export const sameAddresses = (secure: TLSSocket, socket: Socket): void => {
  for (const name of [...names, 'remoteFamily', 'localFamily']) {
    const own = Object.getOwnPropertyDescriptor(socket, name)
    if (own !== undefined) Object.defineProperty(secure, name, own)
  }
}
