import { peerOf } from '@rystra/net'
import type { ByteLink, TlsFacts } from '@rystra/plugin'
import type { TLSSocket } from 'node:tls'

/** The ALPN protocol (RFC 7301) of links. */
export const ALPN = 'rystra/1'

export const linkOf = (socket: TLSSocket, tls: TlsFacts): ByteLink => ({
  kind: 'bytes',
  duplex: socket,
  peer: peerOf(socket, tls)
})
