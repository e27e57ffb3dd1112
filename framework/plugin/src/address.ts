import { isIP, isIPv4 } from 'node:net'

/** The eight groups of an IPv6 address without a zone. */
const groupsOf = (address: string): number[] => {
  const dotted = address.lastIndexOf(':') + 1
  const last = address.slice(dotted)
  const text = isIPv4(last) ? address.slice(0, dotted) + hexOf(last) : address
  const [before = '', after] = text.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length
  return [...head, ...new Array<string>(zeros).fill('0'), ...tail].map((group) => Number.parseInt(group, 16))
}

const hexOf = (ipv4: string): string => {
  const [a = 0, b = 0, c = 0, d = 0] = ipv4.split('.').map(Number)
  return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
}

/** ::ffff:0:0/96, RFC 4291 section 2.5.5.2. */
const isMapped = (groups: readonly number[]): boolean =>
  groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)

const write = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':')

/** An address of IPv6 as its groups, or the text that there is no more to say of. */
const readAddress = (address: string): string | number[] => {
  const percent = address.indexOf('%')
  const plain = percent === -1 ? address : address.slice(0, percent)
  if (isIP(plain) !== 6) return plain.toLowerCase()
  const groups = groupsOf(plain)
  if (!isMapped(groups)) return groups
  const [high = 0, low = 0] = groups.slice(6)
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/**
 * An address in the one form in which it can be compared: IPv4 also where it came mapped into IPv6, IPv6 in full, without
 * a zone. What is no address stays as it is, in lower case.
 */
export const plainAddress = (address: string): string => {
  const read = readAddress(address)
  return typeof read === 'string' ? read : write(read)
}

/**
 * Who is behind an address, for limits: the address itself for IPv4, the /64 for IPv6, since whoever has one address of
 * it has all of them (RFC 6177). Always the same text for the same network.
 */
export const networkOf = (address: string): string => {
  const read = readAddress(address)
  return typeof read === 'string' ? read : `${write(read.slice(0, 4))}::/64`
}
