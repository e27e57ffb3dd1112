import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'

/**
 * TLS destroys what is below once it has let go of it; to reset that before, while TLS still writes, crashes Node.
 */
const resetInstead = (tcp: Socket): void => {
  tcp.destroy = () => {
    Reflect.deleteProperty(tcp, 'destroy')
    return tcp.resetAndDestroy()
  }
}

/**
 * Has a stream of TLS that is given up look given up from the other side. Node closes the connection below, and takes such
 * an end for a true one, though TLS was not ended (RFC 8446 §6.1). From now on a `destroy` before all was written and
 * ended resets the connection, and `resetAndDestroy` does what it does for TCP.
 * @param tcp what the TLS was put on
 */
export const showResets = (socket: TLSSocket, tcp: Socket): void => {
  const destroy = socket._destroy
  let reset = false
  socket._destroy = (error, callback) => {
    // While a FIN is on its way libuv refuses a reset, and Node loses the descriptor over it. All was written then.
    const ending = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
    if (!ending && (reset || !socket.writableFinished)) resetInstead(tcp)
    destroy.call(socket, error, callback)
  }
  socket.resetAndDestroy = () => {
    reset = true
    return socket.destroy()
  }
}
