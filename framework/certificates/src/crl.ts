import { RystraError } from '@rystra/model'
import asn1 from 'node-forge/lib/asn1.js'
import { type Asn1, bytesOf, decode, extensionsOf, partsOf } from './der.js'
import { oids } from './oids.js'
import { crlsOf, derOf } from './pem.js'

/** Why a certificate is revoked (RFC 5280 §5.3.1). Nothing is said of it without a reason. */
export const revocationReasons = {
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9
} as const
export type RevocationReason = keyof typeof revocationReasons

/** What is in a revocation list. Nothing of it was verified. */
export interface CrlDescription {
  /** Grows with each list; nothing when it has none. */
  readonly number: string | undefined
  /** ISO 8601. */
  readonly thisUpdate: string
  readonly nextUpdate: string | undefined
  readonly revoked: readonly { readonly serial: string; readonly at: string; readonly reason?: string }[]
}

/** The parts of a revocation list. */
export interface ParsedCrl {
  /** What is signed, byte for byte. */
  readonly signed: Buffer
  readonly signature: Buffer
  readonly thisUpdate: Asn1 | undefined
  readonly nextUpdate: Asn1 | undefined
  readonly entries: readonly Asn1[]
  readonly number: bigint | undefined
}

export const bigOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)

const { Type } = asn1
const isTime = (node: Asn1 | undefined): boolean => node?.type === Type.UTCTIME || node?.type === Type.GENERALIZEDTIME

const isoOf = (node: Asn1 | undefined): string => {
  const text = bytesOf(node).toString('latin1')
  return (node?.type === Type.UTCTIME ? asn1.utcTimeToDate(text) : asn1.generalizedTimeToDate(text)).toISOString()
}

/** The element of DER that begins at `offset`, header and all. */
const headerLength = (der: Buffer, offset: number): number => {
  const first = der[offset + 1] ?? 0
  return first > 0x80 ? 2 + (first & 0x7f) : 2
}
const elementAt = (der: Buffer, offset: number): Buffer => {
  const header = headerLength(der, offset)
  const length = header === 2 ? (der[offset + 1] ?? 0) : der.readUIntBE(offset + 2, header - 2)
  return der.subarray(offset, offset + header + length)
}

/** Reads the DER of a revocation list. Throws for other bytes. */
export const parseCrl = (der: Buffer): ParsedCrl => {
  const [body, , signature] = partsOf(decode(der))
  const parts = partsOf(body)
  // [version], algorithm, issuer, thisUpdate, [nextUpdate], [revokedCertificates], [0] extensions
  const first = parts.findIndex(isTime)
  if (first < 0 || signature === undefined) throw new Error('malformed revocation list')
  const rest = parts.slice(first + 1)
  const extensions = extensionsOf(partsOf(rest.find(({ tagClass }) => tagClass === 0x80))[0])
  const number = extensions.get(oids.crlNumber)
  return {
    signed: elementAt(der, headerLength(der, 0)),
    signature: bytesOf(signature).subarray(1),
    thisUpdate: parts[first],
    nextUpdate: rest.find(isTime),
    entries: partsOf(rest.find(({ tagClass, type }) => tagClass === 0 && type === Type.SEQUENCE)),
    number: number === undefined ? undefined : bigOf(bytesOf(number.value))
  }
}

const reasonOf = (extensions: Asn1 | undefined): string | undefined => {
  const value = extensionsOf(extensions).get(oids.reasonCode)?.value
  const code = bytesOf(value)[0]
  return code === undefined
    ? undefined
    : (Object.entries(revocationReasons).find(([, number]) => number === code)?.[0] ?? String(code))
}

const describe = (pem: string): CrlDescription => {
  const { number, thisUpdate, nextUpdate, entries } = parseCrl(derOf(pem))
  return {
    number: number?.toString(),
    thisUpdate: isoOf(thisUpdate),
    nextUpdate: nextUpdate === undefined ? undefined : isoOf(nextUpdate),
    revoked: entries.map((entry) => {
      const [serial, at, extensions] = partsOf(entry)
      const reason = reasonOf(extensions)
      const hex = bytesOf(serial)
        .toString('hex')
        .replace(/^00(?=.)/, '')
      return { serial: hex, at: isoOf(at), ...(reason === undefined ? {} : { reason }) }
    })
  }
}

/** Every revocation list of a PEM text, in its order. Throws `tls.files` without a readable one. */
export const describeCrls = (pem: string): CrlDescription[] => {
  const all = crlsOf(pem)
  if (all.length === 0) throw new RystraError('tls.files', { detail: 'no revocation list (PEM) in it' })
  try {
    return all.map(describe)
  } catch (cause) {
    throw new RystraError('tls.files', {
      detail: `the revocation list cannot be read: ${(cause as Error).message}`,
      cause
    })
  }
}
