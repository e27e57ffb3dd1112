import { verify, type X509Certificate } from 'node:crypto'
import { DerReader, type Element, inside, oidOf, serialOf, Tag, timeOf } from './der.js'

/** A revocation list whose signature was checked. */
export interface RevocationList {
  /** Who signed it: the list is about the certificates of this authority. */
  readonly authority: X509Certificate
  /** As `CertificateFacts.serial`. */
  readonly serials: ReadonlySet<string>
  /** Milliseconds since the epoch when the next one is due; `Infinity` when the list does not say. */
  readonly nextUpdate: number
}

/** Hash by the algorithm of the signature; `null` where the algorithm has its own. RFC 4055, RFC 5758, RFC 8410. */
const hashes: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null
}

/** Every revocation list in a file, PEM or DER. */
export const crlsIn = (bytes: Buffer): Buffer[] => {
  if (bytes[0] === Tag.sequence) return [bytes]
  const found = bytes.toString('latin1').matchAll(/-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g)
  return [...found].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}

const criticalOf = (extensions: Element): string | undefined => {
  for (const list = inside(extensions); list.more; ) {
    const extension = inside(list.take(Tag.sequence))
    const oid = oidOf(extension.take(Tag.oid))
    if ((extension.optional(Tag.boolean)?.content[0] ?? 0) !== 0) return oid
  }
  return undefined
}

/** A list that is about part of the certificates, or about those of others, says so in a critical extension. */
const refuseCritical = (extensions: Element | undefined): void => {
  const critical = extensions === undefined ? undefined : criticalOf(extensions)
  if (critical !== undefined) throw new Error(`its critical extension ${critical} is not known here`)
}

const serialsOf = (revoked: Element | undefined): Set<string> => {
  const serials = new Set<string>()
  if (revoked === undefined) return serials
  for (const entries = inside(revoked); entries.more; ) {
    const entry = inside(entries.take(Tag.sequence))
    serials.add(serialOf(entry.take(Tag.integer)))
    entry.next()
    refuseCritical(entry.optional(Tag.sequence))
  }
  return serials
}

/**
 * Reads a revocation list, RFC 5280 §5.1, and checks its signature with the key of one of the authorities.
 * Throws, in words for the log, for lists that are broken, that nobody of them signed, or that cover only some certificates.
 */
export const readCrl = (der: Buffer, authorities: readonly X509Certificate[]): RevocationList => {
  const list = inside(new DerReader(der).take(Tag.sequence))
  const body = list.take(Tag.sequence)
  const algorithm = oidOf(inside(list.take(Tag.sequence)).take(Tag.oid))
  const signature = list.take(Tag.bitString).content.subarray(1)
  const hash = hashes[algorithm]
  if (hash === undefined) throw new Error(`its signature is of a kind that is not taken: ${algorithm}`)
  const authority = authorities.find(({ publicKey }) => {
    try {
      return verify(hash, body.raw, publicKey, signature)
    } catch {
      return false
    }
  })
  if (authority === undefined) throw new Error('none of the authorities has signed it')

  const fields = inside(body)
  fields.optional(Tag.integer)
  fields.take(Tag.sequence)
  fields.take(Tag.sequence)
  timeOf(fields.next())
  const next = fields.optional(Tag.utcTime, Tag.generalizedTime)
  const serials = serialsOf(fields.optional(Tag.sequence))
  const extensions = fields.optional(0xa0)
  refuseCritical(extensions === undefined ? undefined : inside(extensions).take(Tag.sequence))
  return { authority, serials, nextUpdate: next === undefined ? Number.POSITIVE_INFINITY : timeOf(next) }
}
