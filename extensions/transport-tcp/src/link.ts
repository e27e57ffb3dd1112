import type { ByteLink } from '@rystra/plugin'
import type { Socket } from 'node:net'

/** Makes a link of a connected socket. Its peer is read now: a socket that is gone has none. */
export const linkOf = (socket: Socket): ByteLink => ({
  kind: 'bytes',
  duplex: socket,
  peer: { address: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0 }
})
