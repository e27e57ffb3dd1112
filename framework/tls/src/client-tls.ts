import { RystraError } from '@rystra/plugin'
import { fingerprintOf } from '@rystra/certificates'
import type { X509Certificate } from 'node:crypto'
import net from 'node:net'
import { type ConnectionOptions, createSecureContext, type TLSSocket } from 'node:tls'
import { certificateError } from './errors.js'
import { type Validity, validityOf } from './expiry.js'
import { setVerified } from './facts.js'
import { type ClientTlsOptions, suites, type TlsHost } from './options.js'
import { type KeyPair, readAuthorities, readKeyPair } from './key-pair.js'
import { SessionCache } from './session-cache.js'

/** Trust of a client in its server, and its own certificate. */
export interface ClientTls {
  /** PEM texts. */
  readonly pem: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** Server name for SNI; `undefined` for IP addresses. */
  readonly serverName: string | undefined
  /** Options of `tls.connect` and its like, without ALPN and socket. */
  readonly options: ConnectionOptions
  /** Sessions of links verified under the same options. See `connectTls`. */
  readonly sessions: SessionCache
  /** When this client's certificate is valid, if it has one. */
  readonly validity: Validity | undefined
  /**
   * Verifies what node:tls does not, the pin above all. Call it after the handshake and destroy the socket if it throws
   * `tls.*`.
   * @param resumed the certificate of the session that was resumed, which node:tls does not keep
   * @returns the certificate of the server
   */
  check(socket: TLSSocket, resumed?: X509Certificate): X509Certificate
  /** The same for transports with another TLS implementation, which has verified the chain unless there is a pin. */
  checkCertificate(leaf: X509Certificate): void
}

/** A pin in the form of `fingerprintOf`: `sha256:` and 64 lower-case hexadecimal digits. */
const readFingerprint = (text: string): string =>
  `sha256:${text
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
    .toLowerCase()}`

class Trust implements ClientTls {
  readonly pem: ClientTls['pem']
  readonly serverName: string | undefined
  readonly options: ConnectionOptions
  readonly sessions = new SessionCache()
  readonly validity: Validity | undefined
  readonly #pin: string | undefined
  /** Whether chain and host name are verified: always, except with a pin alone. */
  readonly #chain: boolean
  readonly #where: string

  constructor(options: ClientTlsOptions, to: string, { pem, keyPair }: ClientFiles) {
    const name = options.serverName ?? to
    this.#pin = options.fingerprint === undefined ? undefined : readFingerprint(options.fingerprint)
    this.#chain = this.#pin === undefined || pem.ca !== undefined
    this.#where = `tls ${to}`
    this.validity = keyPair === undefined ? undefined : validityOf(keyPair.leaf)
    this.pem = pem
    this.serverName = net.isIP(name) === 0 ? name.replace(/\.$/, '') : undefined
    this.options = {
      secureContext: createSecureContext({ ...suites(options.minVersion), ...this.pem }),
      host: name,
      rejectUnauthorized: this.#chain,
      ...(this.serverName === undefined ? {} : { servername: this.serverName })
    }
  }

  check(socket: TLSSocket, resumed?: X509Certificate): X509Certificate {
    const leaf = socket.getPeerX509Certificate() ?? (socket.isSessionReused() ? resumed : undefined)
    if (leaf === undefined) {
      throw new RystraError('tls.untrusted', { side: 'client', detail: `${this.#where}, no server certificate` })
    }
    this.#checkPin(leaf)
    if (this.#chain && !socket.authorized) throw this.#refused(socket.authorizationError, leaf)
    if (this.#chain) this.#checkDates(leaf)
    setVerified(socket, leaf)
    return leaf
  }

  checkCertificate(leaf: X509Certificate): void {
    this.#checkPin(leaf)
    // A pinned certificate is the expected one at any time: the clock of this machine may be wrong.
    if (!this.#chain) return
    this.#checkDates(leaf)
    const { host } = this.options
    if (host === undefined) return
    const named = net.isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)
    if (named === undefined) throw this.#refused('ERR_TLS_CERT_ALTNAME_INVALID', leaf)
  }

  #checkPin(leaf: X509Certificate): void {
    const presented = fingerprintOf(leaf.raw)
    if (this.#pin === undefined || presented === this.#pin) return
    throw new RystraError('tls.wrong-fingerprint', { side: 'client', detail: `${this.#where}, presented ${presented}` })
  }

  #checkDates(leaf: X509Certificate): void {
    const now = Date.now()
    if (now > Date.parse(leaf.validTo)) throw this.#refused('CERT_HAS_EXPIRED', leaf)
    if (now < Date.parse(leaf.validFrom)) throw this.#refused('CERT_NOT_YET_VALID', leaf)
  }

  /** Adds the field of the certificate that shows whether it is the expected one. */
  #refused(reason: Error | string | null | undefined, leaf: X509Certificate): RystraError {
    const error = certificateError(reason, 'client', this.#where)
    const shown = {
      'tls.untrusted': fingerprintOf(leaf.raw),
      'tls.wrong-host': leaf.subjectAltName ?? leaf.subject,
      'tls.expired': `${leaf.validFrom} to ${leaf.validTo}`
    }[error.code as string]
    const detail = `${error.detail}${shown === undefined ? '' : ` (${shown})`}`
    return new RystraError(error.code, { side: 'client', detail, cause: error.cause })
  }
}

/** The certificate files of a client. */
export interface ClientFiles {
  readonly pem: ClientTls['pem']
  readonly keyPair: KeyPair | undefined
}

/** Rejects with `tls.files`. @param known What was read before: files that have not changed are not checked again. */
export const readClientFiles = async (
  options: ClientTlsOptions,
  dir: string,
  known?: ClientFiles
): Promise<ClientFiles> => {
  const [ca, keyPair] = await Promise.all([
    options.ca === undefined ? undefined : readAuthorities('ca', options.ca, dir, known?.pem.ca),
    readKeyPair(options, dir, known?.keyPair)
  ])
  const shown = keyPair === undefined ? {} : { cert: keyPair.cert, key: keyPair.key }
  return { keyPair, pem: { ...(ca === undefined ? {} : { ca }), ...shown } }
}

export const clientTlsOf = (options: ClientTlsOptions, to: string, files: ClientFiles): ClientTls =>
  new Trust(options, to, files)

/** Reads the files. Rejects with `tls.files`. Transports that dial repeatedly use `TlsDialer`. */
export const readClientTls = async (
  options: ClientTlsOptions,
  to: string,
  host: Pick<TlsHost, 'dir'>
): Promise<ClientTls> => clientTlsOf(options, to, await readClientFiles(options, host.dir))
