import { type Element, inside, oidOf, serialOf, signedOf, Tag, timeOf } from './der.js'

/** What a revocation list says, RFC 5280 §5.1. */
export interface RevocationList {
  /** The name of who signed it, without its header. */
  readonly issuer: Buffer
  /** As `serialOf` has them. */
  readonly serials: ReadonlySet<string>
  /** Milliseconds since the epoch when the next one is due; `Infinity` when the list does not say. */
  readonly nextUpdate: number
  /**
   * The first critical extension of the list or of an entry: a list that is about part of the certificates, or about those
   * of others, says so in one.
   */
  readonly critical: string | undefined
}

/** Every revocation list in a file, PEM or DER. */
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

/** Reads the signed part of a list; whether it is signed is not looked at. Throws on what is no list. */
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

/** When a revocation list (PEM) ends: from then on nobody is let in by it. `undefined`: it does not, or is not readable. */
export const crlEnds = (pem: string): number | undefined => {
  try {
    const [der = Buffer.alloc(0)] = crlsIn(Buffer.from(pem))
    const { nextUpdate } = readCrl(signedOf(der).body)
    return Number.isFinite(nextUpdate) ? nextUpdate : undefined
  } catch {
    return undefined
  }
}
