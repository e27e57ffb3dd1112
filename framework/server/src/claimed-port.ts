import type { Address } from '@rystra/model'
import type { UdpPort } from '@rystra/plugin'
import { createSocket } from 'node:dgram'
import { bindUdp, closeUdp } from './bind-udp.js'

export type Protocol = 'tcp' | 'udp'

/** A port that was bound for the members of a claim. */
export interface Shared {
  readonly address: Address
  readonly socket?: UdpPort['socket']
  close(): Promise<void>
}

/** A port that is being bound. */
export interface Later {
  readonly bound: Promise<Shared>
  /** As it was asked for. */
  readonly host: string
  close(): Promise<void>
}

export const shareLater = (bound: Promise<Shared>, host: string): Later => ({
  bound,
  host,
  close: () =>
    bound.then(
      (shared) => shared.close(),
      () => {}
    )
})

export const bindUdpPort = async (address: Address): Promise<Shared> => {
  const { address: bound, socket } = await bindUdp(address)
  return {
    address: bound,
    socket,
    close: () => closeUdp(socket)
  }
}

/** A port at which only other servers take visitors. Its socket for datagrams is never bound. */
export const notBound = (protocol: Protocol, address: Address): Shared => {
  if (protocol === 'tcp') return { address, close: async () => {} }
  const socket = createSocket('udp4')
  return { address, socket, close: () => closeUdp(socket) }
}
