import { plainAddress } from '@rystra/address'
import type { PeerInfo, TlsFacts } from '@rystra/plugin'
import type { Socket } from 'node:net'

/** The peer of a connection. Read it at once: a closed socket has no address. */
export const peerOf = ({ remoteAddress, remotePort }: Socket, tls?: TlsFacts): PeerInfo => ({
  address: plainAddress(remoteAddress ?? 'unknown'),
  port: remotePort ?? 0,
  ...(tls === undefined ? {} : { tls })
})
