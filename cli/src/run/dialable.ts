import net from 'node:net'
import { networkInterfaces } from 'node:os'
import { isWildcard } from '../address.js'

const isPrivate = (address: string): boolean =>
  /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(address)

/**
 * The host to tell the other side: as it is, unless it stands for all addresses. Then the best guess there is: a public
 * IPv4 address of this machine, else a private one, else loopback. A machine behind NAT does not know its public one.
 */
export const dialable = (host: string, interfaces = networkInterfaces()): string => {
  if (!isWildcard(host)) return host
  const addresses = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter(({ internal, address }) => !internal && net.isIPv4(address))
    .map(({ address }) => address)
  return addresses.find((address) => !isPrivate(address)) ?? addresses[0] ?? '127.0.0.1'
}
