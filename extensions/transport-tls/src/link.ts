import type { ByteLink, TlsFacts } from '@rystra/plugin'
import type { TLSSocket } from 'node:tls'

/** What is asked for, and served, by ALPN (RFC 7301). */
export const ALPN = 'rystra/1'

/** Makes a link of a socket whose handshake is done. Its peer is read now: a socket that is gone has none. */
export const linkOf = (socket: TLSSocket, tls: TlsFacts): ByteLink => ({
  kind: 'bytes',
  duplex: socket,
  peer: { address: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0, tls }
})
