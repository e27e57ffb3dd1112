import { randomBytes } from 'node:crypto'

/** QUIC version 1, RFC 9000. */
export const VERSION = 1

/** Size of the connection ids that this end chooses. They are random, so that only a peer on the path knows one. */
export const ID_BYTES = 16

/** Connection ids, RFC 9000 section 17.2. The first one of a client has at least 8 bytes. */
const MAX_ID_BYTES = 20
const MIN_FIRST_ID_BYTES = 8

/** Largest retry token: longer ones are not from this server. */
const MAX_TOKEN_BYTES = 128

export const newId = (): Buffer => randomBytes(ID_BYTES)

/** The version-independent part of a long header, RFC 8999 section 5.1. */
export interface LongHeader {
  readonly version: number
  readonly dcid: Buffer
  readonly scid: Buffer
  /** Where the version-specific part begins. */
  readonly end: number
}

/** Parses a long header. `undefined` for short headers and malformed ones. */
export const readLongHeader = (packet: Buffer): LongHeader | undefined => {
  if (packet.length < 7 || ((packet[0] as number) & 0x80) === 0) return undefined
  const dcidEnd = 6 + (packet[5] as number)
  if (dcidEnd > 6 + MAX_ID_BYTES || dcidEnd >= packet.length) return undefined
  const scidBytes = packet[dcidEnd] as number
  const end = dcidEnd + 1 + scidBytes
  if (scidBytes > MAX_ID_BYTES || end > packet.length) return undefined
  return {
    version: packet.readUInt32BE(1),
    dcid: packet.subarray(6, dcidEnd),
    scid: packet.subarray(dcidEnd + 1, end),
    end
  }
}

/** A variable-length integer, RFC 9000 section 16. @returns its value and where it ends */
const readVarint = (packet: Buffer, at: number): readonly [value: number, end: number] | undefined => {
  const first = packet[at]
  if (first === undefined) return undefined
  const size = 1 << (first >> 6)
  // Lengths within a packet have at most four bytes.
  if (size > 4 || at + size > packet.length) return undefined
  let value = first & 0x3f
  for (let index = 1; index < size; index += 1) value = value * 256 + (packet[at + index] as number)
  return [value, at + size]
}

/**
 * The token of a client's first Initial packet, empty if it has none. `undefined` unless the packet is one by RFC 9000
 * sections 17.2.2 and 14.1: nothing else of an unknown sender is given to quiche.
 */
export const readInitialToken = (packet: Buffer, { version, dcid, end }: LongHeader): Buffer | undefined => {
  // Fixed bit set, packet type Initial. The four low bits are protected.
  if (version !== VERSION || ((packet[0] as number) & 0xf0) !== 0xc0 || dcid.length < MIN_FIRST_ID_BYTES)
    return undefined
  const token = readVarint(packet, end)
  if (token === undefined || token[0] > MAX_TOKEN_BYTES) return undefined
  const tokenEnd = token[1] + token[0]
  const length = readVarint(packet, tokenEnd)
  // The payload has at least a packet number, a sample for header protection and a tag.
  if (length === undefined || length[0] < 20 || length[1] + length[0] > packet.length) return undefined
  return packet.subarray(token[1], tokenEnd)
}

/** A version negotiation packet, RFC 9000 section 17.2.1. */
export const versionNegotiation = ({ dcid, scid }: LongHeader): Buffer =>
  Buffer.concat([
    Buffer.from([0x80 | (randomBytes(1)[0] as number), 0, 0, 0, 0, scid.length]),
    scid,
    Buffer.from([dcid.length]),
    dcid,
    Buffer.from([0, 0, 0, VERSION])
  ])
