import { addressBytes, plainAddress } from '@rystra/address'
import net from 'node:net'
import type { Address, VisitorInfo } from '@rystra/model'

/**
 * Headers of the PROXY protocol, as haproxy's proxy-protocol.txt specifies them: they tell a service who the visitor is.
 */
export type ProxyProtocolVersion = 'v1' | 'v2'

const plain = ({ host, port }: Address): Address => ({ host: plainAddress(host), port })

const familyOf = (from: Address, to: Address): 4 | 6 | 0 => {
  const family = net.isIP(from.host)
  return family !== 0 && family === net.isIP(to.host) ? (family as 4 | 6) : 0
}

const v1 = (from: Address, to: Address): Buffer => {
  const family = familyOf(from, to)
  return Buffer.from(
    family === 0 ? 'PROXY UNKNOWN\r\n' : `PROXY TCP${family} ${from.host} ${to.host} ${from.port} ${to.port}\r\n`
  )
}

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const VERSION_PROXY = 0x21
const TCP_OVER = { 4: 0x11, 6: 0x21, 0: 0x00 } as const

const v2 = (from: Address, to: Address): Buffer => {
  const family = familyOf(from, to)
  const addresses =
    family === 0
      ? []
      : [
          ...addressBytes(from.host),
          ...addressBytes(to.host),
          from.port >> 8,
          from.port & 0xff,
          to.port >> 8,
          to.port & 0xff
        ]
  return Buffer.concat([
    signature,
    Buffer.from([VERSION_PROXY, TCP_OVER[family], addresses.length >> 8, addresses.length & 0xff]),
    Buffer.from(addresses)
  ])
}

/** The header that goes in front of the first byte to the service. */
export const proxyHeader = (version: ProxyProtocolVersion, visitor: VisitorInfo): Buffer => {
  const from = plain(visitor)
  const to = plain(visitor.to)
  return version === 'v1' ? v1(from, to) : v2(from, to)
}

/** The header of a connection of our own, a health check: `LOCAL` in version 2. */
export const checkHeader = (version: ProxyProtocolVersion): Buffer =>
  version === 'v1' ? Buffer.from('PROXY UNKNOWN\r\n') : Buffer.concat([signature, Buffer.from([0x20, 0, 0, 0])])
