import type { ByteLink, TlsFacts } from '@rystra/plugin'
import type { TLSSocket } from 'node:tls'

/** The ALPN protocol (RFC 7301) of links. */
export const ALPN = 'rystra/1'

/** Reads the peer now: a closed socket has no address. */
export const linkOf = (socket: TLSSocket, tls: TlsFacts): ByteLink => ({
  kind: 'bytes',
  duplex: socket,
  peer: { address: socket.remoteAddress ?? 'unknown', port: socket.remotePort ?? 0, tls }
})
