import type net from 'node:net'

/** Those of this process that listen: a process that takes over gets their sockets. */
export const listeningServers: ReadonlySet<net.Server> = new Set()

/** See {@link listeningServers}. */
export const listWhileListening = (server: net.Server): void => {
  const all = listeningServers as Set<net.Server>
  server.once('listening', () => all.add(server)).once('close', () => all.delete(server))
}
