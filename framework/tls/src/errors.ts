import { type ErrorCode, isRystraError, RystraError, type Side } from '@rystra/plugin'

interface Meaning {
  readonly code: ErrorCode
  readonly says: string
  readonly hint?: string
}

const untrusted = (says: string): Meaning => ({ code: 'tls.untrusted', says })
const notTls: Meaning = { code: 'tls.not-tls', says: 'what came is not TLS' }
const handshake = (says: string): Meaning => ({ code: 'tls.handshake', says })
const listHint = 'renew the file given as `crl` on the server'
const oldList: Meaning = {
  code: 'tls.untrusted',
  says: 'the revocation list of its authority is missing or out of date',
  hint: listHint
}

/** What this side found, by the codes of Node: those of X.509 (OpenSSL's names), and of OpenSSL's own errors. */
const found: Readonly<Record<string, Meaning>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted('it is self-signed'),
  SELF_SIGNED_CERT_IN_CHAIN: untrusted('its authority is not known here'),
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted('its authority is not known here'),
  UNABLE_TO_GET_ISSUER_CERT: untrusted('its authority is not known here'),
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted('its authority is not known here'),
  CERT_SIGNATURE_FAILURE: untrusted('its signature is wrong'),
  CERT_CHAIN_TOO_LONG: untrusted('its chain is too long'),
  CERT_UNTRUSTED: untrusted('its authority is not trusted for this'),
  CERT_REJECTED: untrusted('its authority is not trusted for this'),
  INVALID_PURPOSE: untrusted('it is not made for this purpose'),
  INVALID_CA: untrusted('its issuer is not an authority'),
  PATH_LENGTH_EXCEEDED: untrusted('its issuer may not sign authorities'),
  EE_KEY_TOO_SMALL: untrusted('its key is too short'),
  CA_KEY_TOO_SMALL: untrusted('the key of its authority is too short'),
  CERT_HAS_EXPIRED: { code: 'tls.expired', says: 'it has expired' },
  CERT_NOT_YET_VALID: { code: 'tls.expired', says: 'it is not valid yet' },
  CERT_REVOKED: { code: 'tls.revoked', says: 'it is on the revocation list' },
  UNABLE_TO_GET_CRL: oldList,
  CRL_HAS_EXPIRED: oldList,
  CRL_NOT_YET_VALID: oldList,
  CRL_SIGNATURE_FAILURE: oldList,
  HOSTNAME_MISMATCH: { code: 'tls.wrong-host', says: 'it does not name this host' },
  ERR_TLS_CERT_ALTNAME_INVALID: { code: 'tls.wrong-host', says: 'it does not name this host' },
  ERR_SSL_WRONG_VERSION_NUMBER: notTls,
  ERR_SSL_HTTP_REQUEST: notTls,
  ERR_SSL_HTTPS_PROXY_REQUEST: notTls,
  ERR_SSL_UNKNOWN_PROTOCOL: notTls,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notTls,
  ERR_SSL_RECORD_LAYER_FAILURE: notTls,
  ERR_SSL_BAD_RECORD_TYPE: notTls,
  ERR_SSL_NOT_SSLV3_OR_TLSV1: notTls,
  ERR_SSL_UNSUPPORTED_PROTOCOL: handshake('no version of TLS is common to both ends'),
  ERR_SSL_VERSION_TOO_LOW: handshake('no version of TLS is common to both ends'),
  ERR_SSL_NO_SHARED_CIPHER: handshake('no cipher is common to both ends'),
  ERR_SSL_NO_APPLICATION_PROTOCOL: handshake('the other side asked for another protocol (ALPN)'),
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: { code: 'tls.certificate-required', says: 'none was given' },
  ERR_TLS_HANDSHAKE_TIMEOUT: handshake('it took too long'),
  ERR_TLS_DH_PARAM_SIZE: handshake('the parameters of the key exchange are too small')
}

/** What the other side told with an alert (RFC 8446 §6.2), by the end of OpenSSL's name for it. */
const alerts: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [/ALERT_CERTIFICATE_REQUIRED$/, 'tls.certificate-required', 'none was given'],
  [/ALERT_UNKNOWN_CA$/, 'tls.untrusted', 'its authority is not known there'],
  [/ALERT_BAD_CERTIFICATE$/, 'tls.untrusted', 'it was not accepted'],
  [/ALERT_UNSUPPORTED_CERTIFICATE$/, 'tls.untrusted', 'it is of a kind that is not accepted'],
  [/ALERT_CERTIFICATE_UNKNOWN$/, 'tls.untrusted', 'it was not accepted'],
  [/ALERT_CERTIFICATE_EXPIRED$/, 'tls.expired', 'it has expired'],
  [/ALERT_CERTIFICATE_REVOKED$/, 'tls.revoked', 'it is on the revocation list'],
  [/ALERT_PROTOCOL_VERSION$/, 'tls.handshake', 'no version of TLS is common to both ends'],
  [
    /ALERT_NO_APPLICATION_PROTOCOL$/,
    'tls.handshake',
    'this transport is not served there (ALPN); check the port and the transport'
  ],
  // A Rystra server says so to TLS where it has none, or none for this transport.
  [/ALERT_UNEXPECTED_MESSAGE$/, 'tls.not-tls', 'no TLS is spoken there, or none for this transport'],
  [/ALERT_UNRECOGNIZED_NAME$/, 'tls.wrong-host', 'no such name is served there'],
  [
    /ALERT_(?:HANDSHAKE_FAILURE|INSUFFICIENT_SECURITY)$/,
    'tls.handshake',
    'no cipher or no signature is common to both ends'
  ]
]

/** What the hints of the table say of the server's certificate is wrong for that of a client. */
const clientHints: Partial<Record<ErrorCode, string>> = {
  'tls.untrusted': 'the client needs a `cert` that an authority of `clientCa` on the server has signed',
  'tls.expired': 'renew the `cert` of the client, and check the clocks of both machines',
  'tls.revoked': 'give the client a new `cert`'
}

const other = (side: Side): Side => (side === 'client' ? 'server' : 'client')

/**
 * What a failed handshake means, as `tls.*`; what is none of TLS's is `connect.unreachable`.
 * @param side on which it failed. An alert is what the other side found.
 * @param detail where, `tls 127.0.0.1:7000` for example; what was wrong is appended
 */
export const tlsError = (cause: Error, side: Side, detail: string): RystraError => {
  if (isRystraError(cause)) return cause
  // Those of a DOMException, as signals give them, are numbers.
  const { code: given } = cause as { code?: unknown }
  const code = typeof given === 'string' ? given : ''
  const make = (meaning: Meaning, finder: Side): RystraError => {
    const hint = meaning.hint ?? (finder === 'server' ? clientHints[meaning.code] : undefined)
    return new RystraError(meaning.code, {
      side: finder,
      detail: `${detail}, ${meaning.says}`,
      cause,
      ...(hint === undefined ? {} : { hint })
    })
  }
  const alert = alerts.find(([pattern]) => pattern.test(code))
  if (alert !== undefined) return make({ code: alert[1], says: alert[2] }, other(side))
  const meaning = Object.hasOwn(found, code) ? found[code] : undefined
  if (meaning !== undefined) return make(meaning, side)
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_')) {
    const says =
      (cause as { reason?: string }).reason ??
      code
        .replace(/^ERR_(?:SSL|TLS)_/, '')
        .toLowerCase()
        .replaceAll('_', ' ')
    return make(handshake(says), /_ALERT_/.test(code) ? other(side) : side)
  }
  const says =
    code === 'ECONNRESET' || code === 'EPIPE'
      ? 'cut off in the TLS handshake; is it a TLS port?'
      : code || cause.message
  return new RystraError('connect.unreachable', { detail: `${detail}, ${says}`, cause })
}
