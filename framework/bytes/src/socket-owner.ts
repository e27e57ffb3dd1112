import type net from 'node:net'
import { cutOff } from './cut-off.js'
import { carrierOf, whenAllEnded } from './late-end.js'

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

/** Its end was read, and waits for what its carrier says; it may close meanwhile. */
const late = Symbol('rystra.lateEnd')

type Owned = net.Socket & { [owner]: SocketOwner; [late]?: 'ended' | 'closed' | undefined }

/** Listeners are called with the socket: one function for all sockets, where a closure for each would live as long. */
function failed(this: net.Socket, error: Error): void {
  ;(this as Owned)[owner].socketFailed(error)
}

function ended(this: net.Socket): void {
  const socket = this as Owned
  const carrier = carrierOf(socket)
  if (carrier === undefined) {
    socket[owner].socketEnded()
    return
  }
  socket[late] = 'ended'
  whenAllEnded(() => {
    const isClosed = socket[late] === 'closed'
    socket[late] = undefined
    if (carrier.lost === undefined) socket[owner].socketEnded()
    else {
      socket[owner].socketFailed(carrier.lost)
      cutOff(socket)
    }
    if (isClosed) socket[owner].socketClosed()
  })
}

function closed(this: net.Socket): void {
  const socket = this as Owned
  if (socket[late] === undefined) socket[owner].socketClosed()
  else socket[late] = 'closed'
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
