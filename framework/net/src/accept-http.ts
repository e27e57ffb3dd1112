import type { Server } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Gives a connection to a server of `node:http` or `node:https` that does not listen itself.
 *
 * Node starts reading at the event of `resume()`, which comes a tick later. A `pause()` in between is lost, and so is each one
 * after it, as the stream is paused already: a body that nothing reads would be read into memory without a bound.
 */
export const acceptHttp = (server: Server, socket: Duplex): void => {
  server.emit('connection', socket)
  socket.off('resume', stopAgain).on('resume', stopAgain)
}

function stopAgain(this: Duplex): void {
  if (this.isPaused()) this.emit('pause')
}
