import { RystraError } from '@rystra/plugin'
import { fingerprintOf } from '@rystra/certificates'
import type { X509Certificate } from 'node:crypto'
import net from 'node:net'
import { type ConnectionOptions, createSecureContext, type TLSSocket } from 'node:tls'
import { tlsError } from './errors.js'
import { setVerified } from './facts.js'
import type { ClientTlsOptions } from './fields.js'
import { readFingerprint } from './fingerprint.js'
import { type Identity, readAuthorities, readIdentity } from './identity.js'
import { KeptSessions } from './kept-sessions.js'
import type { TlsHost } from './server-tls.js'
import { suites } from './suites.js'

/** What a client trusts, and what it shows. */
export interface ClientTls {
  /** PEM texts. */
  readonly pem: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** The name that is sent as SNI; `undefined` for IP addresses. */
  readonly serverName: string | undefined
  /** For `tls.connect` and what is like it, ALPN and socket aside. */
  readonly options: ConnectionOptions
  /** Sessions of links that were verified under these very options. See `connectTls`. */
  readonly sessions: KeptSessions
  /** When the certificate of this client ends, if it has one. */
  readonly expires: Date | undefined
  /**
   * Call it when the handshake is done, and destroy the socket if it throws: what node:tls left to us, the pin above all.
   * Throws `tls.*`.
   * @param resumed whom the session that was resumed was with; node:tls has forgotten it
   * @returns the certificate of the server
   */
  check(socket: TLSSocket, resumed?: X509Certificate): X509Certificate
  /** The same for whom TLS is done by somebody else, who has verified the chain unless there is a pin. */
  checkCertificate(leaf: X509Certificate): void
}

class Trust implements ClientTls {
  readonly pem: ClientTls['pem']
  readonly serverName: string | undefined
  readonly options: ConnectionOptions
  readonly sessions = new KeptSessions()
  readonly expires: Date | undefined
  readonly #pin: string | undefined
  /** Whether the chain and the name count: always, unless a pin alone says who it is. */
  readonly #chain: boolean
  readonly #where: string

  constructor(options: ClientTlsOptions, to: string, { pem, identity }: ClientFiles) {
    const name = options.serverName ?? to
    this.#pin = options.fingerprint === undefined ? undefined : readFingerprint(options.fingerprint)
    this.#chain = this.#pin === undefined || pem.ca !== undefined
    this.#where = `tls ${to}`
    this.expires = identity === undefined ? undefined : new Date(identity.leaf.validTo)
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
      throw new RystraError('tls.untrusted', { side: 'client', detail: `${this.#where}, it has shown none` })
    }
    this.#checkPin(leaf)
    if (this.#chain && !socket.authorized) throw this.#refused(socket.authorizationError, leaf)
    this.#checkDates(leaf)
    setVerified(socket, leaf)
    return leaf
  }

  checkCertificate(leaf: X509Certificate): void {
    this.#checkPin(leaf)
    this.#checkDates(leaf)
    const { host } = this.options
    if (!this.#chain || host === undefined) return
    const named = net.isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host)
    if (named === undefined) throw this.#refused('ERR_TLS_CERT_ALTNAME_INVALID', leaf)
  }

  #checkPin(leaf: X509Certificate): void {
    const seen = fingerprintOf(leaf.raw)
    if (this.#pin === undefined || seen === this.#pin) return
    throw new RystraError('tls.wrong-fingerprint', { side: 'client', detail: `${this.#where}, it is ${seen}` })
  }

  #checkDates(leaf: X509Certificate): void {
    const now = Date.now()
    if (now > Date.parse(leaf.validTo)) throw this.#refused('CERT_HAS_EXPIRED', leaf)
    if (now < Date.parse(leaf.validFrom)) throw this.#refused('CERT_NOT_YET_VALID', leaf)
  }

  /** With what a person needs to see whether it is the right one all the same. */
  #refused(reason: Error | string | null | undefined, leaf: X509Certificate): RystraError {
    const code =
      typeof reason === 'string' ? reason : ((reason as NodeJS.ErrnoException | null)?.code ?? 'CERT_UNTRUSTED')
    const error = tlsError(Object.assign(new Error(code), { code }), 'client', this.#where)
    const seen = {
      'tls.untrusted': fingerprintOf(leaf.raw),
      'tls.wrong-host': leaf.subjectAltName ?? leaf.subject,
      'tls.expired': `${leaf.validFrom} to ${leaf.validTo}`
    }[error.code as string]
    const known = error.code.startsWith('tls.')
    return new RystraError(known ? error.code : 'tls.untrusted', {
      side: 'client',
      detail: known
        ? `${error.detail}${seen === undefined ? '' : ` (${seen})`}`
        : `${this.#where}, ${code} (${fingerprintOf(leaf.raw)})`,
      cause: error.cause
    })
  }
}

/** What the files of a client say. */
export interface ClientFiles {
  readonly pem: ClientTls['pem']
  readonly identity: Identity | undefined
}

/** Rejects with `tls.files`. */
export const readClientFiles = async (options: ClientTlsOptions, dir: string): Promise<ClientFiles> => {
  const [ca, identity] = await Promise.all([
    options.ca === undefined ? undefined : readAuthorities('ca', options.ca, dir),
    readIdentity(options, dir)
  ])
  const shown = identity === undefined ? {} : { cert: identity.cert, key: identity.key }
  return { identity, pem: { ...(ca === undefined ? {} : { ca }), ...shown } }
}

export const clientTlsOf = (options: ClientTlsOptions, to: string, files: ClientFiles): ClientTls =>
  new Trust(options, to, files)

/** Reads the files. Rejects with `tls.files`. See `TlsDialer` for who dials often. */
export const readClientTls = async (
  options: ClientTlsOptions,
  to: string,
  host: Pick<TlsHost, 'dir'>
): Promise<ClientTls> => clientTlsOf(options, to, await readClientFiles(options, host.dir))
