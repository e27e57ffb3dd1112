import { type ErrorCode, RystraError, type Side } from '@rystra/plugin'
import { tlsError } from '@rystra/tls'
import { X509Certificate } from 'node:crypto'
import type { QuicheClose, QuicheConnection } from './binding.js'

/** Application close codes (RFC 9000 section 20.2). */
export const Close = { done: 0, aborted: 1, refused: 2 } as const

/** Stream reset codes. */
export const Reset = { aborted: 1, refused: 2 } as const

/** Transport error code, RFC 9000 section 20.1. */
export const CONNECTION_REFUSED = 0x2
/** TLS alerts have codes from here on, RFC 9001 section 4.8. */
export const ALERT = 0x100
const CERTIFICATE_REVOKED = ALERT + 44
const BAD_CERTIFICATE = ALERT + 42
const CERTIFICATE_EXPIRED = ALERT + 45
const CERTIFICATE_UNKNOWN = ALERT + 46

/** TLS alerts of the peer by name, RFC 8446 section 6. */
const peerAlerts: Readonly<Record<number, string>> = {
  40: 'HANDSHAKE_FAILURE',
  42: 'BAD_CERTIFICATE',
  43: 'UNSUPPORTED_CERTIFICATE',
  44: 'CERTIFICATE_REVOKED',
  45: 'CERTIFICATE_EXPIRED',
  46: 'CERTIFICATE_UNKNOWN',
  48: 'UNKNOWN_CA',
  70: 'PROTOCOL_VERSION',
  71: 'INSUFFICIENT_SECURITY',
  112: 'UNRECOGNIZED_NAME',
  116: 'CERTIFICATE_REQUIRED',
  120: 'NO_APPLICATION_PROTOCOL'
}

/** Alerts that this end sends: the finding, by Node's code. */
const localAlerts: Readonly<Record<number, string>> = {
  42: 'CERT_REJECTED',
  43: 'INVALID_PURPOSE',
  44: 'CERT_REVOKED',
  45: 'CERT_HAS_EXPIRED',
  46: 'CERT_UNTRUSTED',
  48: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  51: 'CERT_SIGNATURE_FAILURE',
  116: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE',
  120: 'ERR_SSL_NO_APPLICATION_PROTOCOL'
}

const withCode = (code: string): Error => Object.assign(new Error(code), { code })

/** The certificate of the peer, if it presented a valid encoding. */
export const leafOf = (connection: QuicheConnection): X509Certificate | undefined => {
  const der = connection.peerCertChain()?.[0]
  if (der === undefined) return undefined
  try {
    return new X509Certificate(der)
  } catch {
    return undefined
  }
}

const hex = (code: number): string => `0x${code.toString(16)}`

/** The error of a handshake that failed on this side. */
const localError = (close: QuicheClose, connection: QuicheConnection, side: Side, where: string): RystraError => {
  const alert = close.errorCode - ALERT
  if (close.isApp || alert < 0 || alert > 255) {
    return new RystraError('mux.protocol', { detail: `${where}, QUIC error ${hex(close.errorCode)}` })
  }
  const leaf = leafOf(connection)
  const alone = alert === 48 && leaf !== undefined && leaf.issuer === leaf.subject
  const code = alone ? 'DEPTH_ZERO_SELF_SIGNED_CERT' : (localAlerts[alert] ?? `ERR_SSL_TLS_ALERT_${alert}`)
  return tlsError(withCode(code), side, where)
}

const appCodes: Readonly<Record<number, ErrorCode>> = { [Close.refused]: 'connect.unreachable' }

/** The error for a close by the peer. `undefined`: an orderly close. */
const peerError = (close: QuicheClose, side: Side, where: string): RystraError | undefined => {
  const other = side === 'client' ? 'server' : 'client'
  if (close.isApp) {
    if (close.errorCode === Close.done) return undefined
    return new RystraError(appCodes[close.errorCode] ?? 'mux.closed', {
      side: other,
      detail: `${where}, aborted by the peer`
    })
  }
  if (close.errorCode === CONNECTION_REFUSED) {
    return new RystraError('connect.unreachable', { side: other, detail: `${where}, peer accepts no more connections` })
  }
  const alert = close.errorCode - ALERT
  if (alert < 0 || alert > 255) {
    return new RystraError('mux.protocol', { side: other, detail: `${where}, QUIC error ${hex(close.errorCode)}` })
  }
  return tlsError(withCode(`ERR_SSL_TLSV1_ALERT_${peerAlerts[alert] ?? alert}`), side, where)
}

/** The error of a closed connection. `undefined`: an orderly close. */
export const whyClosed = (connection: QuicheConnection, side: Side, where: string): RystraError | undefined => {
  const peer = connection.peerError()
  if (peer !== null) return peerError(peer, side, where)
  const local = connection.localError()
  if (local !== null) return localError(local, connection, side, where)
  return connection.isEstablished()
    ? new RystraError('session.timeout', { detail: `${where}, idle timeout` })
    : new RystraError('connect.unreachable', { detail: `${where}, timed out` })
}

/** The alert for a certificate that this side rejects. */
export const alertFor = (error: unknown): number => {
  const { code } = error as { code?: string }
  if (code === 'tls.revoked') return CERTIFICATE_REVOKED
  if (code === 'tls.expired') return CERTIFICATE_EXPIRED
  return code === 'tls.wrong-host' ? BAD_CERTIFICATE : CERTIFICATE_UNKNOWN
}
