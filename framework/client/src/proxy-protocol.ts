import net from 'node:net'
import type { Address, VisitorInfo } from '@rystra/model'

/**
 * Headers of the PROXY protocol, as haproxy's proxy-protocol.txt specifies them: they tell a service who the visitor is.
 */
export type ProxyProtocolVersion = 'v1' | 'v2'

/** An IPv4 address in IPv6 clothes, RFC 4291 §2.5.5.2, is shown as what it is. */
const plain = ({ host, port }: Address): Address => ({
  host: /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(host) ? host.slice(7) : host.replace(/%.*$/, ''),
  port
})

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

const ipv4 = (host: string): number[] => host.split('.').map(Number)

/** The 16 bytes of an IPv6 address, `::` and a dotted tail included. */
const ipv6 = (host: string): number[] => {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(host)
  const [a = 0, b = 0, c = 0, d = 0] = dotted === null ? [] : ipv4(dotted[2] ?? '')
  const text = dotted === null ? host : `${dotted[1]}${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  const [head = '', tail] = text.split('::')
  const words = (part: string | undefined): number[] =>
    part === undefined || part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16))
  const left = words(head)
  const right = words(tail)
  const zeros = Array<number>(Math.max(0, 8 - left.length - right.length)).fill(0)
  return [...left, ...zeros, ...right].flatMap((word) => [word >> 8, word & 0xff])
}

const v2 = (from: Address, to: Address): Buffer => {
  const family = familyOf(from, to)
  const bytes = family === 4 ? ipv4 : ipv6
  const addresses =
    family === 0
      ? []
      : [...bytes(from.host), ...bytes(to.host), from.port >> 8, from.port & 0xff, to.port >> 8, to.port & 0xff]
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
