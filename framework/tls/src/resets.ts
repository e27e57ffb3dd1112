import { isTlsTaken } from '@rystra/native'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/**
 * Replaces the `destroy` that TLS calls when it has released the socket: a reset while TLS still writes crashes Node.
 */
const resetInstead = (tcp: Socket): void => {
  tcp.destroy = () => {
    Reflect.deleteProperty(tcp, 'destroy')
    return tcp.resetAndDestroy()
  }
}

/**
 * Makes a destroyed TLS stream a reset for the peer. Node closes the TCP connection without a TLS closure alert (RFC
 * 8446 section 6.1), and its peer takes that for an orderly end. From now on a `destroy` before everything was written
 * and ended resets the connection, and `resetAndDestroy` works as for TCP.
 * @param tcp the socket below TLS
 */
export const showResets = (socket: TLSSocket, tcp: Socket): void => {
  const destroy = socket._destroy
  let reset = false
  socket._destroy = (error, callback) => {
    // libuv refuses a reset while a FIN is in progress, and Node then loses the descriptor. All data was written at
    // this point.
    const ending = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
    // The native part ends or resets what it has taken over.
    if (!ending && !isTlsTaken(socket) && (reset || !socket.writableFinished)) resetInstead(tcp)
    destroy.call(socket, error, callback)
  }
  socket.resetAndDestroy = () => {
    reset = true
    return socket.destroy()
  }
}
