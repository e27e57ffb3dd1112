import { visitorOf } from '@rystra/address'
import { type Address, type PublishAddress, RystraError, type UdpPort, type VisitorInfo } from '@rystra/plugin'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { addressOf } from './proxy-ends.js'
import type { Scope } from './scope.js'
import { quiet } from './streams.js'

/** Binds a UDP port of loopback; the socket is added to `sockets`. */
export const listenUdp = async (
  { port = 0, host = '127.0.0.1' }: PublishAddress,
  sockets: UdpSocket[]
): Promise<UdpPort> => {
  const socket = createSocket('udp4')
  sockets.push(socket)
  socket.bind(port, host)
  await once(socket, 'listening')
  const bound = socket.address()
  return { address: { host: bound.address, port: bound.port }, socket }
}

/** Connects to a service until the case is over. Rejects with `stream.service-unreachable`. */
export const connectTcp = async (scope: Scope, local: string): Promise<Socket> => {
  const { host, port } = addressOf(local)
  const socket = quiet(connect({ host, port, allowHalfOpen: true }))
  scope.defer(() => socket.destroy())
  try {
    await once(socket, 'connect')
  } catch (cause) {
    throw new RystraError('stream.service-unreachable', { side: 'client', detail: local, cause })
  }
  return socket
}

/** Binds a TCP port until the case is over. The server is added to `servers`. Rejects with `proxy.port-taken`. */
export const listenTcp = async (
  scope: Scope,
  address: PublishAddress,
  onVisitor: (socket: Socket, info: VisitorInfo) => void,
  servers: Server[] = []
): Promise<Address> => {
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    onVisitor(socket, visitorOf(socket))
  })
  servers.push(server)
  scope.defer(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  server.listen(address.port ?? 0, address.host ?? '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new RystraError('proxy.port-taken', { detail: String(address.port), cause })
  }
  const { address: host, port } = server.address() as { address: string; port: number }
  return { host, port }
}
