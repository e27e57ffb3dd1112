import { DerReader, inside, Tag } from './der.js'

/** The field of OpenSSL's session that has its flags, and the flag in it (ssl/ssl_asn1.c, SSL_SESS_FLAG_EXTMS). */
const FLAGS = 0xad
const EXTENDED = 1

/**
 * Whether a session of TLS 1.2 has the extended master secret, RFC 7627. Node does not tell; the session as OpenSSL
 * writes it does. `false` for what cannot be read.
 */
export const hasExtendedMasterSecret = (session: Buffer | undefined): boolean => {
  if (session === undefined) return false
  try {
    const fields = inside(new DerReader(session).take(Tag.sequence)).rest()
    const flags = fields.find(({ tag }) => tag === FLAGS)
    const number = flags === undefined ? undefined : inside(flags).take(Tag.integer)
    return ((number?.content.at(-1) ?? 0) & EXTENDED) !== 0
  } catch {
    return false
  }
}
