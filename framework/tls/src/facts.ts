import type { TlsFacts } from '@rystra/plugin'
import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { hasExtendedMasterSecret } from './master-secret.js'

/** Certificates that were verified otherwise than by node:tls alone: pinned ones, and those of resumed sessions. */
const verified = new WeakMap<TLSSocket, X509Certificate>()

/** Says that the other side of a socket has this certificate, and that it is trusted. */
export const setVerified = (socket: TLSSocket, leaf: X509Certificate): void => void verified.set(socket, leaf)

/** RFC 9266. With TLS 1.2 it says who is there only with the extended master secret, RFC 7627. */
const bindingOf = (socket: TLSSocket): Uint8Array | undefined => {
  const tls13 = socket.getProtocol() === 'TLSv1.3'
  if (!tls13 && !hasExtendedMasterSecret(socket.getSession())) return undefined
  return new Uint8Array(socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0)))
}

/** What {@link TlsFacts} says of a socket whose handshake is done. Its certificate is there only if it was verified. */
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
