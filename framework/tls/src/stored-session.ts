import { DerReader, type Element, inside, Tag } from './der.js'

/** Fields of OpenSSL's serialised session (ssl/ssl_asn1.c): the version of TLS is the second, the certificate of the peer has this tag. */
const PEER = 0xa3
const TLS13 = Buffer.from([0x03, 0x04])

/** Before the session of OpenSSL: from Node 22 on this mark and, behind its length in two bytes, the host that was verified. */
const MARK = Buffer.from('\0nodejs:tls:session:1\0', 'latin1')

const startOf = (session: Buffer): number =>
  session.subarray(0, MARK.length).equals(MARK) ? MARK.length + 2 + session.readUInt16BE(MARK.length) : 0

const sequenceOf = (fields: readonly Element[]): Buffer => {
  const content = Buffer.concat(fields.map(({ raw }) => raw))
  const digits = content.length.toString(16)
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  const header = content.length < 0x80 ? [content.length] : [0x80 + length.length, ...length]
  return Buffer.concat([Buffer.from([Tag.sequence, ...header]), content])
}

/**
 * A session of TLS 1.3 without the certificate of the peer, which OpenSSL parses each time the session is resumed, for longer than the
 * rest of the handshake takes. Node shows no certificate of a resumed session of TLS 1.3, with or without it. Other sessions, and
 * malformed ones, are returned as they are.
 */
export const withoutCertificate = (session: Buffer): Buffer => {
  try {
    const start = startOf(session)
    const fields = inside(new DerReader(session.subarray(start)).take(Tag.sequence)).rest()
    if (fields[1]?.content.equals(TLS13) !== true) return session
    return Buffer.concat([session.subarray(0, start), sequenceOf(fields.filter(({ tag }) => tag !== PEER))])
  } catch {
    return session
  }
}
