import { RystraError } from '@rystra/model'
import { BlockList, isIP, isIPv4 } from 'node:net'

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

const familyOf = (plain: string): 'ipv4' | 'ipv6' => (isIP(plain) === 6 ? 'ipv6' : 'ipv4')

/**
 * Whether an address is in one of these networks: `10.0.0.0/8`, `2001:db8::/32`, or a single address. An IPv4 address
 * that comes mapped into IPv6 is an IPv4 address. What is no address is in none. Throws `config.invalid`.
 *
 * @param where what an error names: `options.exempt`
 */
export const networks = (texts: readonly string[], where: string): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const text of texts) {
    const [written = '', bits] = text.split('/')
    const plain = plainAddress(written)
    const most = isIP(written) === 6 ? 128 : 32
    const asked = bits === undefined ? most : /^[0-9]{1,3}$/.test(bits) ? Number(bits) : Number.NaN
    const prefix = familyOf(plain) === 'ipv4' && most === 128 ? asked - 96 : asked
    if (isIP(written) === 0 || !(asked <= most) || prefix < 0)
      throw new RystraError('config.invalid', { detail: `${where}: ${JSON.stringify(text)} is no network` })
    list.addSubnet(plain, prefix, familyOf(plain))
  }
  return (address) => {
    const plain = plainAddress(address)
    return isIP(plain) !== 0 && list.check(plain, familyOf(plain))
  }
}
