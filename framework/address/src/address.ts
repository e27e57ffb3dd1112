import { RystraError } from '@rystra/model'
import ipaddr from 'ipaddr.js'
import { BlockList, isIP, isIPv4 } from 'node:net'

type Parsed = ipaddr.IPv4 | ipaddr.IPv6

const withoutZone = (address: string): string => address.split('%', 1)[0] as string

/**
 * `net.isIP` decides what an address is: ipaddr.js alone would read `127.1` and octal numbers as well. The URL parser writes
 * a dotted tail as groups: ipaddr.js would read `::10.0.0.1` as mapped.
 */
const parse = (address: string): Parsed | undefined => {
  const plain = withoutZone(address)
  const family = isIP(plain)
  if (family === 0) return undefined
  const dotted = family === 6 && plain.includes('.')
  return ipaddr.parse(dotted ? new URL(`http://[${plain}]`).hostname.slice(1, -1) : plain)
}

/** IPv4 also where it came mapped into IPv6, RFC 4291 section 2.5.5.2. */
const unmapped = (parsed: Parsed): Parsed =>
  parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed

/** The 4 or 16 bytes of an IP address, without its zone. Throws a RangeError for other text. */
export const addressBytes = (address: string): Uint8Array => {
  const parsed = parse(address)
  if (parsed === undefined) throw new RangeError(`${JSON.stringify(address)} is not an IP address`)
  return Uint8Array.from(parsed.toByteArray())
}

/** The address of 4 or 16 bytes, RFC 5952. Throws for another length. */
export const addressOfBytes = (bytes: Uint8Array): string => ipaddr.fromByteArray([...bytes]).toString()

/**
 * An address in the one form in which addresses are compared and shown: IPv4 also where it came mapped into IPv6, IPv6 as
 * RFC 5952 writes it, without a zone. Other text stays as it is, in lower case.
 */
export const plainAddress = (address: string): string => {
  // `isIPv4` takes no form but the plain one; most visitors come through here.
  if (isIPv4(address)) return address
  const parsed = parse(address)
  return parsed === undefined ? withoutZone(address).toLowerCase() : unmapped(parsed).toString()
}

/**
 * The network of one subscriber, for limits: the address itself for IPv4, the /64 for IPv6, since a host with one address
 * of it can use all of them (RFC 6177). Always the same text for the same network.
 */
export const networkOf = (address: string): string => {
  const parsed = parse(address)
  const plain = parsed === undefined ? undefined : unmapped(parsed)
  if (!(plain instanceof ipaddr.IPv6)) return plainAddress(address)
  return `${new ipaddr.IPv6([...plain.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`
}

const familyOf = (plain: string): 'ipv4' | 'ipv6' => (isIP(plain) === 6 ? 'ipv6' : 'ipv4')

/**
 * Whether an address is in one of these networks: `10.0.0.0/8`, `2001:db8::/32`, or a single address. An IPv4 address
 * that comes mapped into IPv6 is an IPv4 address. Text that is not an address is in no network. Throws `config.invalid`.
 *
 * @param where the option in errors: `options.exempt`
 */
export const networks = (texts: readonly string[], where: string): ((address: string) => boolean) => {
  const list = new BlockList()
  for (const text of texts) {
    const [written = '', bits, ...more] = text.split('/')
    const plain = plainAddress(written)
    const most = isIP(written) === 6 ? 128 : 32
    const length = bits === undefined ? most : /^[0-9]{1,3}$/.test(bits) ? Number(bits) : Number.NaN
    const prefix = familyOf(plain) === 'ipv4' && most === 128 ? length - 96 : length
    if (isIP(written) === 0 || more.length > 0 || !(length <= most) || prefix < 0) {
      const detail = `${where}: ${JSON.stringify(text)} is neither an IP address nor a network such as 10.0.0.0/8`
      throw new RystraError('config.invalid', { detail })
    }
    list.addSubnet(plain, prefix, familyOf(plain))
  }
  if (texts.length === 0) return () => false
  return (address) => {
    const plain = plainAddress(address)
    return isIP(plain) !== 0 && list.check(plain, familyOf(plain))
  }
}
