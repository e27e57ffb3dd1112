import type net from 'node:net'

/** What a socket tells the one who reads it. */
export interface SocketOwner {
  /** @internal */
  socketFailed(error: Error): void
  /** @internal */
  socketEnded(): void
  /** @internal */
  socketClosed(): void
}

const owner = Symbol('rystra.socketOwner')

type Owned = net.Socket & { [owner]: SocketOwner }

/** Listeners are called with the socket: one function for all sockets, where a closure for each would live as long. */
function failed(this: net.Socket, error: Error): void {
  ;(this as Owned)[owner].socketFailed(error)
}

function ended(this: net.Socket): void {
  ;(this as Owned)[owner].socketEnded()
}

function closed(this: net.Socket): void {
  ;(this as Owned)[owner].socketClosed()
}

/** Reports errors and the close of a socket. `on` and not `once`, which makes two more objects for each socket. */
export const ownSocket = (socket: net.Socket, by: SocketOwner): void => {
  ;(socket as Owned)[owner] = by
  socket.on('error', failed)
  socket.on('close', closed)
}

/** Reports its end, too. */
export const reportEndOf = (socket: net.Socket): void => {
  socket.on('end', ended)
}
