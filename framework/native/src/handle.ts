import type { Socket } from 'node:dgram'

/** The part of Node's own handle that is used. */
interface UdpHandle {
  readonly fd: number
  recvStop(): unknown
}

/**
 * The handle of a bound socket. It is not part of Node's documented interface: `undefined` where it is not as expected,
 * and the socket is then used as Node made it.
 */
export const handleOf = (socket: Socket): UdpHandle | undefined => {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')
  if (symbol === undefined) return undefined
  const { handle } = (socket as unknown as Record<symbol, { handle?: Partial<UdpHandle> | null }>)[symbol] ?? {}
  const usable = typeof handle?.fd === 'number' && handle.fd >= 0 && typeof handle.recvStop === 'function'
  return usable ? (handle as UdpHandle) : undefined
}
