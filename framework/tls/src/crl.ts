import { type Element, inside, oidOf, serialOf, signedOf, Tag, timeOf } from './der.js'

/** A certificate revocation list, RFC 5280 section 5.1. */
export interface RevocationList {
  /** The name of the issuer, without its DER header. */
  readonly issuer: Buffer
  /** Revoked serial numbers, in the form of `serialOf`. */
  readonly serials: ReadonlySet<string>
  /** Milliseconds since the epoch when the next list is due; `Infinity` when the list has no such date. */
  readonly nextUpdate: number
  /**
   * The first critical extension of the list or of an entry: a list that covers only some certificates of its issuer
   * has one.
   */
  readonly critical: string | undefined
}

/** The revocation lists of a file, PEM or DER. */
export const crlsIn = (bytes: Buffer): Buffer[] => {
  if (bytes[0] === Tag.sequence) return [bytes]
  const found = bytes.toString('latin1').matchAll(/-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g)
  return [...found].map(([, base64 = '']) => Buffer.from(base64, 'base64'))
}

const criticalOf = (extensions: Element | undefined): string | undefined => {
  if (extensions === undefined) return undefined
  for (const list = inside(extensions); list.more; ) {
    const extension = inside(list.take(Tag.sequence))
    const oid = oidOf(extension.take(Tag.oid))
    if ((extension.optional(Tag.boolean)?.content[0] ?? 0) !== 0) return oid
  }
  return undefined
}

/** Parses the signed part of a list without verifying the signature. Throws for malformed lists. */
export const readCrl = (body: Element): RevocationList => {
  const fields = inside(body)
  fields.optional(Tag.integer)
  fields.take(Tag.sequence)
  const issuer = fields.take(Tag.sequence).content
  timeOf(fields.next())
  const next = fields.optional(Tag.utcTime, Tag.generalizedTime)
  const revoked = fields.optional(Tag.sequence)
  const serials = new Set<string>()
  let critical: string | undefined
  for (const entries = revoked === undefined ? undefined : inside(revoked); entries?.more === true; ) {
    const entry = inside(entries.take(Tag.sequence))
    serials.add(serialOf(entry.take(Tag.integer)))
    entry.next()
    critical ??= criticalOf(entry.optional(Tag.sequence))
  }
  const extensions = fields.optional(0xa0)
  critical ??= criticalOf(extensions === undefined ? undefined : inside(extensions).take(Tag.sequence))
  return { issuer, serials, nextUpdate: next === undefined ? Number.POSITIVE_INFINITY : timeOf(next), critical }
}

/**
 * Expiry of a revocation list (PEM), after which it admits no certificate. `undefined`: it has none, or is malformed.
 */
export const crlEnds = (pem: string): number | undefined => {
  try {
    const [der = Buffer.alloc(0)] = crlsIn(Buffer.from(pem))
    const { nextUpdate } = readCrl(signedOf(der).body)
    return Number.isFinite(nextUpdate) ? nextUpdate : undefined
  } catch {
    return undefined
  }
}

export const CRL = /-----BEGIN X509 CRL-----/

const block = /-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----/g

/** Splits a text into its revocation lists: node:tls reads only the first of a text. */
export const crlsOf = (pem: string): string[] => pem.match(block) ?? []
