import type { TlsFacts } from '@rystra/plugin'
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { DerReader, inside, Tag } from './der.js'

/** The field of OpenSSL's session that holds its flags, and the flag (ssl/ssl_asn1.c, SSL_SESS_FLAG_EXTMS). */
const FLAGS = 0xad
const EXTENDED = 1

/**
 * Whether a TLS 1.2 session has the extended master secret, RFC 7627. Node does not report it, but OpenSSL's serialised
 * session does. `false` for malformed sessions.
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

/** Certificates that were not verified by node:tls alone: pinned ones, and those of resumed sessions. */
const verified = new WeakMap<TLSSocket, X509Certificate>()

/** Records the verified certificate of a peer. */
export const setVerified = (socket: TLSSocket, leaf: X509Certificate): void => void verified.set(socket, leaf)

/** Channel binding of RFC 9266. With TLS 1.2 it is unique only with the extended master secret, RFC 7627. */
const bindingOf = (socket: TLSSocket): Uint8Array | undefined => {
  const tls13 = socket.getProtocol() === 'TLSv1.3'
  if (!tls13 && !hasExtendedMasterSecret(socket.getSession())) return undefined
  return new Uint8Array(socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)))
}

/** The {@link TlsFacts} of a completed handshake. The certificate is present only if it was verified. */
export const tlsFacts = (socket: TLSSocket): TlsFacts => {
  const { alpnProtocol, servername } = socket as TLSSocket & { servername?: string | false | null }
  const { standardName, name } = socket.getCipher()
  const certificate = verified.get(socket) ?? (socket.authorized ? socket.getPeerX509Certificate() : undefined)
  const binding = bindingOf(socket)
  return {
    version: socket.getProtocol() ?? 'unknown',
    cipher: standardName ?? name,
    ...(alpnProtocol ? { alpn: alpnProtocol } : {}),
    ...(servername ? { serverName: servername } : {}),
    ...(certificate === undefined ? {} : { certificate: new Uint8Array(certificate.raw) }),
    ...(binding === undefined ? {} : { binding })
  }
}
