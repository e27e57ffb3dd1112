import type net from 'node:net'

const open = new Set<net.Socket>()
let watched = false

const resetAll = (): void => {
  for (const socket of open) if (!socket.writableFinished && socket.remotePort !== undefined) socket.resetAndDestroy()
}

/** One function for all sockets: it is called with the one that was closed. */
function forget(this: net.Socket): void {
  open.delete(this)
}

/**
 * Resets a TCP connection that the end of this process cuts: the kernel would close it with a FIN, as if all had been
 * sent. Works for `process.exit` and for exceptions that end the process, not for SIGKILL.
 */
export const resetAtExit = (socket: net.Socket): void => {
  if (socket.destroyed) return
  if (!watched) process.once('exit', resetAll)
  watched = true
  open.add(socket)
  socket.on('close', forget)
}
