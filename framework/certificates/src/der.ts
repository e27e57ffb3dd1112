import type forge from 'node-forge'
// All of forge is forty modules more, which every start of a server would load.
import asn1 from 'node-forge/lib/asn1.js'

const { Class, Type } = asn1

/**
 * A node of ASN.1, as forge has it: bytes are binary strings. What is read here is put into what is written, so both have
 * forge's nodes; handshakes read with `DerReader` of @rystra/tls, which copies nothing.
 */
export type Asn1 = forge.asn1.Asn1

const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

const primitive = (type: number, value: string): Asn1 => asn1.create(Class.UNIVERSAL, type, false, value)

export const sequence = (...items: readonly Asn1[]): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [...items])
export const set = (...items: readonly Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SET, true, [...items])
export const oid = (dotted: string): Asn1 => primitive(Type.OID, asn1.oidToDer(dotted).getBytes())
export const octets = (bytes: Uint8Array): Asn1 => primitive(Type.OCTETSTRING, binary(bytes))
export const utf8 = (text: string): Asn1 => primitive(Type.UTF8, binary(Buffer.from(text, 'utf8')))
export const nothing = (): Asn1 => primitive(Type.NULL, '')
export const yes = (): Asn1 => primitive(Type.BOOLEAN, '\xff')
export const enumerated = (value: number): Asn1 => primitive(Type.ENUMERATED, String.fromCharCode(value))

/** A bit string of whole bytes, or with `unused` bits at its end. */
export const bits = (bytes: Uint8Array, unused = 0): Asn1 =>
  primitive(Type.BITSTRING, String.fromCharCode(unused) + binary(bytes))

/** A whole number that is not negative, as big-endian bytes; the shortest form is made here. */
export const integer = (bytes: Uint8Array): Asn1 => {
  const start = bytes.findIndex((byte) => byte !== 0)
  const short = start < 0 ? Buffer.alloc(1) : Buffer.from(bytes).subarray(start)
  return primitive(Type.INTEGER, ((short[0] ?? 0) & 0x80 ? '\0' : '') + binary(short))
}

/** `[tag]` around other nodes. */
export const tagged = (tag: number, ...items: readonly Asn1[]): Asn1 =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, true, [...items])

/** `[tag] IMPLICIT` of bytes. */
export const taggedBytes = (tag: number, bytes: Uint8Array): Asn1 =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag as forge.asn1.Type, false, binary(bytes))

/** RFC 5280 §4.1.2.5: two digits for the year until 2049, four from then on. */
export const time = (date: Date): Asn1 => {
  const year = date.getUTCFullYear()
  const [type, text] =
    year >= 1950 && year < 2050
      ? [Type.UTCTIME, asn1.dateToUtcTime(date)]
      : [Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date)]
  return primitive(type, String(text))
}

/** An extension of a certificate, a revocation list or one of its entries. */
export const extension = (id: string, value: Asn1, critical = false): Asn1 =>
  sequence(oid(id), ...(critical ? [yes()] : []), octets(encode(value)))

export const encode = (node: Asn1): Buffer => Buffer.from(asn1.toDer(node).getBytes(), 'latin1')

/** Parses DER; throws for other bytes. What is inside of bit and octet strings stays closed. */
export const decode = (der: Uint8Array): Asn1 =>
  asn1.fromDer(binary(der), { strict: true, decodeBitStrings: false } as never)

/** The parts of a node; none of one that has bytes. */
export const partsOf = (node: Asn1 | undefined): Asn1[] => (Array.isArray(node?.value) ? node.value : [])

/** The bytes of a node; none of one that has parts. */
export const bytesOf = (node: Asn1 | undefined): Buffer =>
  Buffer.from(typeof node?.value === 'string' ? node.value : '', 'latin1')

/** The dotted form of an object identifier; empty for another node. */
export const oidOf = (node: Asn1 | undefined): string => {
  const bytes = bytesOf(node)
  return bytes.length === 0 ? '' : asn1.derToOid(binary(bytes))
}

/** Extensions by their id, of the node that lists them. */
export const extensionsOf = (list: Asn1 | undefined): Map<string, { critical: boolean; value: Asn1 }> =>
  new Map(
    partsOf(list).map((one) => {
      const [id, ...rest] = partsOf(one)
      return [oidOf(id), { critical: rest.length > 1, value: decode(bytesOf(rest.at(-1))) }]
    })
  )
