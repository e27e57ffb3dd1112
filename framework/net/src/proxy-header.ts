import { addressOfBytes, plainAddress } from '@rystra/address'
import { isIPv4, isIPv6 } from 'node:net'
import { crc32c } from './crc32c.js'

/** The client of a proxied connection, and the address that it connected to. */
export interface ProxiedAddresses {
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localAddress: string
  readonly localPort: number
}

/** A header of the PROXY protocol. */
export interface ProxyHeader {
  /** Bytes of it. */
  readonly size: number
  /** Absent where the proxy names none: the addresses of the connection are right, for a health check say. */
  readonly addresses?: ProxiedAddresses
}

/** The longest header of version 1, with its end of line. */
const MAX_TEXT_BYTES = 107

/** The longest header of version 2: addresses take 36 bytes, what else proxies add (TLS, names) some hundred. */
const MAX_BINARY_BYTES = 4096

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const TEXT = Buffer.from('PROXY ')

/** Bytes of version 2 up to the addresses. */
const FIXED_BYTES = 16
const VERSION_2 = 0x2
const LOCAL = 0x0
const PROXY = 0x1
/** Bytes of an address of a family over TCP; none where the addresses are no IP addresses. */
const FAMILIES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 4],
  [0x21, 16],
  [0x31, 0]
])
const UNIX = 0x31
/** Bytes of two addresses of sockets of the file system. */
const UNIX_BYTES = 216
/** What stands behind the addresses: type, length, value. */
const TLV_HEAD_BYTES = 3
const CHECKSUM = 0x03
const CHECKSUM_BYTES = 4

const malformed = (why: string): RangeError => new RangeError(`malformed header of the PROXY protocol: ${why}`)

const portOf = (text: string): number => {
  const port = /^(0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : Number.NaN
  if (!(port <= 65_535)) throw malformed('port')
  return port
}

const parseText = (head: Buffer): ProxyHeader | undefined => {
  const end = head.subarray(0, MAX_TEXT_BYTES).indexOf('\r\n')
  if (end < 0 && head.length >= MAX_TEXT_BYTES) throw malformed(`no end of line within ${MAX_TEXT_BYTES} bytes`)
  if (end < 0) return undefined
  const size = end + 2
  const [, family, ...fields] = head.toString('latin1', 0, end).split(' ')
  if (family === 'UNKNOWN') return { size }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined
  if (isAddress === undefined) throw malformed('family')
  const [from = '', to = '', fromPort = '', toPort = ''] = fields
  if (fields.length !== 4 || !isAddress(from) || !isAddress(to)) throw malformed('addresses')
  return {
    size,
    addresses: {
      remoteAddress: plainAddress(from),
      remotePort: portOf(fromPort),
      localAddress: plainAddress(to),
      localPort: portOf(toPort)
    }
  }
}

/** Throws where a checksum is among the fields behind the addresses, and is not that of the header. */
const verify = (header: Buffer, addressBytes: number): void => {
  for (let at = FIXED_BYTES + addressBytes; at < header.length; ) {
    const value = at + TLV_HEAD_BYTES
    const end = value > header.length ? Number.POSITIVE_INFINITY : value + header.readUInt16BE(at + 1)
    if (end > header.length) throw malformed('a field beyond its end')
    if (header.readUInt8(at) === CHECKSUM) {
      if (end - value !== CHECKSUM_BYTES) throw malformed('length of the checksum')
      const copy = Buffer.from(header)
      copy.writeUInt32BE(0, value)
      if (crc32c(copy) !== header.readUInt32BE(value)) throw malformed('checksum')
    }
    at = end
  }
}

const parseBinary = (head: Buffer): ProxyHeader | undefined => {
  if (head.length < FIXED_BYTES) return undefined
  const [version, command] = [head.readUInt8(12) >> 4, head.readUInt8(12) & 0x0f]
  if (version !== VERSION_2 || (command !== LOCAL && command !== PROXY)) throw malformed('version or command')
  const length = FAMILIES.get(head.readUInt8(13))
  const size = FIXED_BYTES + head.readUInt16BE(14)
  if (size > MAX_BINARY_BYTES) throw malformed(`more than ${MAX_BINARY_BYTES} bytes`)
  if (command === PROXY && length === undefined) throw malformed('family')
  if (head.length < size) return undefined
  const family = head.readUInt8(13)
  if (length !== undefined)
    verify(head.subarray(0, size), family === UNIX ? UNIX_BYTES : length === 0 ? 0 : 2 * length + 4)
  if (command === LOCAL || length === undefined || length === 0) return { size }
  if (size < FIXED_BYTES + 2 * length + 4) throw malformed('addresses')
  const address = (at: number): string => plainAddress(addressOfBytes(head.subarray(at, at + length)))
  const ports = FIXED_BYTES + 2 * length
  return {
    size,
    addresses: {
      remoteAddress: address(FIXED_BYTES),
      remotePort: head.readUInt16BE(ports),
      localAddress: address(FIXED_BYTES + length),
      localPort: head.readUInt16BE(ports + 2)
    }
  }
}

const beginsLike = (head: Buffer, signature: Buffer): boolean => {
  const length = Math.min(head.length, signature.length)
  return head.subarray(0, length).equals(signature.subarray(0, length))
}

/**
 * The header of version 1 or 2 at the beginning of a connection, as haproxy's proxy-protocol.txt specifies it. `undefined`: more
 * bytes are needed. Throws a `RangeError` for anything else.
 */
export const parseProxyHeader = (head: Buffer): ProxyHeader | undefined => {
  if (beginsLike(head, SIGNATURE)) return head.length < SIGNATURE.length ? undefined : parseBinary(head)
  if (beginsLike(head, TEXT)) return head.length < TEXT.length ? undefined : parseText(head)
  throw malformed('neither version 1 nor 2')
}
