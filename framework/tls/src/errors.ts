import { type ErrorCode, isRystraError, RystraError, type Side } from '@rystra/plugin'

interface Meaning {
  readonly code: ErrorCode
  readonly text: string
  readonly hint?: string
}

const untrusted = (text: string): Meaning => ({ code: 'tls.untrusted', text })
const notTls: Meaning = { code: 'tls.not-tls', text: 'not TLS' }
const handshake = (text: string): Meaning => ({ code: 'tls.handshake', text })
const listHint = 'renew the file given as `crl` on the server'
const oldList: Meaning = {
  code: 'tls.untrusted',
  text: 'revocation list of the issuing authority is missing or expired',
  hint: listHint
}

/** Findings of this side by Node's error code: OpenSSL's names of X.509 errors, and OpenSSL's own errors. */
const found: Readonly<Record<string, Meaning>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted('self-signed certificate'),
  SELF_SIGNED_CERT_IN_CHAIN: untrusted('unknown certificate authority'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted('unknown certificate authority'),
  UNABLE_TO_GET_ISSUER_CERT: untrusted('unknown certificate authority'),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted('unknown certificate authority'),
  CERT_SIGNATURE_FAILURE: untrusted('invalid certificate signature'),
  CERT_CHAIN_TOO_LONG: untrusted('certificate chain too long'),
  CERT_UNTRUSTED: untrusted('certificate authority is not trusted for this purpose'),
  CERT_REJECTED: untrusted('certificate authority is not trusted for this purpose'),
  INVALID_PURPOSE: untrusted('certificate is not valid for this purpose'),
  INVALID_CA: untrusted('issuer is not a certificate authority'),
  PATH_LENGTH_EXCEEDED: untrusted('issuer may not sign certificate authorities'),
  EE_KEY_TOO_SMALL: untrusted('certificate key too short'),
  CA_KEY_TOO_SMALL: untrusted('key of the certificate authority too short'),
  CERT_HAS_EXPIRED: { code: 'tls.expired', text: 'certificate has expired' },
  CERT_NOT_YET_VALID: { code: 'tls.expired', text: 'certificate is not valid yet' },
  CERT_REVOKED: { code: 'tls.revoked', text: 'certificate is revoked' },
  UNABLE_TO_GET_CRL: oldList,
  CRL_HAS_EXPIRED: oldList,
  CRL_NOT_YET_VALID: oldList,
  CRL_SIGNATURE_FAILURE: oldList,
  HOSTNAME_MISMATCH: { code: 'tls.wrong-host', text: 'certificate does not contain this host name' },
  ERR_TLS_CERT_ALTNAME_INVALID: { code: 'tls.wrong-host', text: 'certificate does not contain this host name' },
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_SSL_HTTP_REQUEST: notTls,
  ERR_SSL_HTTPS_PROXY_REQUEST: notTls,
  ERR_SSL_UNKNOWN_PROTOCOL: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ERR_SSL_RECORD_LAYER_FAILURE: notTls,
  ERR_SSL_BAD_RECORD_TYPE: notTls,
  ERR_SSL_NOT_SSLV3_OR_TLSV1: notTls,
  ERR_SSL_UNSUPPORTED_PROTOCOL: handshake('no common TLS version'),
  ERR_SSL_VERSION_TOO_LOW: handshake('no common TLS version'),
  ERR_SSL_NO_SHARED_CIPHER: handshake('no common cipher'),
  ERR_SSL_NO_APPLICATION_PROTOCOL: handshake('peer requested another protocol (ALPN)'),
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: { code: 'tls.certificate-required', text: 'no client certificate' },
  ERR_TLS_HANDSHAKE_TIMEOUT: handshake('handshake timed out'),
  ERR_TLS_DH_PARAM_SIZE: handshake('key exchange parameters too small')
}

/** Alerts of the peer (RFC 8446 section 6.2), by the end of OpenSSL's name. */
const alerts: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/ALERT_CERTIFICATE_REQUIRED$/, 'tls.certificate-required', 'no client certificate'],
  [/ALERT_UNKNOWN_CA$/, 'tls.untrusted', 'peer does not know the certificate authority'],
  [/ALERT_BAD_CERTIFICATE$/, 'tls.untrusted', 'peer rejected the certificate'],
  [/ALERT_UNSUPPORTED_CERTIFICATE$/, 'tls.untrusted', 'peer does not support this kind of certificate'],
  [/ALERT_CERTIFICATE_UNKNOWN$/, 'tls.untrusted', 'peer rejected the certificate'],
  [/ALERT_CERTIFICATE_EXPIRED$/, 'tls.expired', 'certificate has expired'],
  [/ALERT_CERTIFICATE_REVOKED$/, 'tls.revoked', 'certificate is revoked'],
  [/ALERT_PROTOCOL_VERSION$/, 'tls.handshake', 'no common TLS version'],
  [/ALERT_NO_APPLICATION_PROTOCOL$/, 'tls.handshake', 'this transport is not served on this port (ALPN)'],
  // A Rystra server sends this alert where it serves no TLS, or not this transport.
  [/ALERT_UNEXPECTED_MESSAGE$/, 'tls.not-tls', 'no TLS on this port, or not for this transport'],
  [/ALERT_UNRECOGNIZED_NAME$/, 'tls.wrong-host', 'peer does not serve this host name'],
  [/ALERT_(?:HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY)$/, 'tls.handshake', 'no common cipher or signature algorithm']
]

/** Hints for the certificate of a client; those of the error table are about the server's. */
const clientCertificateHints: Partial<Record<ErrorCode, string>> = {
  'tls.untrusted': 'the client needs a `cert` signed by an authority in `clientCa` of the server',
  'tls.expired': 'renew the `cert` of the client, and check the clocks of both machines',
  'tls.revoked': 'give the client a new `cert`'
}

const peerOf = (side: Side): Side => (side === 'client' ? 'server' : 'client')

/**
 * Classifies a failed handshake as `tls.*`, or as `connect.unreachable` when TLS is not the reason.
 * @param side where it failed. An alert is a finding of the peer.
 * @param detail the peer, for example `tls 127.0.0.1:7000`; the reason is appended
 */
export const tlsError = (cause: Error, side: Side, detail: string): RystraError => {
  if (isRystraError(cause)) return cause
  // The code of a DOMException is a number.
  const { code: given } = cause as { code?: unknown }
  const code = typeof given === 'string' ? given : ''
  const make = (meaning: Meaning, finder: Side): RystraError => {
    const hint = meaning.hint ?? (finder === 'server' ? clientCertificateHints[meaning.code] : undefined)
    return new RystraError(meaning.code, {
      side: finder,
      detail: `${detail}, ${meaning.text}`,
      cause,
      ...(hint === undefined ? {} : { hint })
    })
  }
  const alert = alerts.find(([pattern]) => pattern.test(code))
  if (alert !== undefined) return make({ code: alert[1], text: alert[2] }, peerOf(side))
  const meaning = Object.hasOwn(found, code) ? found[code] : undefined
  if (meaning !== undefined) return make(meaning, side)
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) {
    const text =
      (cause as { reason?: string }).reason ??
      code
        .replace(/^ERR_(?:SSL|TLS)_/, '')
        .toLowerCase()
        .replaceAll('_', ' ')
    return make(handshake(text), /_ALERT_/.test(code) ? peerOf(side) : side)
  }
  const text =
    code === 'ECONNRESET' || code === 'EPIPE'
      ? 'connection closed in the TLS handshake: check that it is a TLS port'
      : code || cause.message
  return new RystraError('connect.unreachable', { detail: `${detail}, ${text}`, cause })
}

/** The error of a certificate by its verification code, always `tls.*`. */
export const certificateError = (
  reason: Error | string | null | undefined,
  side: Side,
  detail: string
): RystraError => {
  const code =
    typeof reason === 'string'
      ? reason
      : ((reason as NodeJS.ErrnoException | null | undefined)?.code ?? 'CERT_UNTRUSTED')
  const error = tlsError(Object.assign(new Error(code), { code }), side, detail)
  return error.code.startsWith('tls.')
    ? error
    : new RystraError('tls.untrusted', { side, detail: `${detail}, ${code}` })
}
