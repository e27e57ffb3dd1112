import { background } from '@rystra/plugin'
import { fingerprintOf } from '@rystra/certificates'
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls'
import { CRL, crlEnds, crlsOf } from './crl.js'
import { ExpiryWatch, type Validity, validityOf } from './expiry.js'
import { type ServerTlsOptions, suites, type TlsHost } from './options.js'
import { filesError, readPem } from './files.js'
import { type KeyPair, readAuthorities, readKeyPair } from './key-pair.js'
import { ownKeyPair } from './self-signed.js'

/**
 * Interval at which the files are read. They are read whole: file events are unreliable where symbolic links are
 * replaced, as certbot and Kubernetes do.
 */
const RELOAD_INTERVAL_MS = 5000

/** PEM texts. */
export interface ServerPem {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string
  readonly crl?: string
}

/** Whether a certificate is requested from clients. */
export type ClientCert = 'none' | 'optional' | 'required'

/** Certificate and client trust of a listener, kept up to date with their files. */
export interface ServerTls {
  /** The texts as last read. */
  readonly pem: ServerPem
  /** Options of `tls.createServer`, `http2.createSecureServer` and their like, without ALPN. */
  readonly options: TlsOptions
  readonly clientCert: ClientCert
  /** The fingerprint for clients to pin, if the certificate is self-signed. See `Listener.join`. */
  readonly join: Readonly<Record<string, string>> | undefined
  /** Called with valid changed files: apply `context` with `server.setSecureContext(context)`. */
  onChange: ((context: SecureContextOptions, pem: ServerPem) => void) | undefined
  /** Stops reading the files. */
  close(): void
}

interface LoadedFiles {
  readonly keyPair: KeyPair
  readonly pem: ServerPem
  readonly context: SecureContextOptions
}

const checkOptions = (options: ServerTlsOptions): ClientCert => {
  const { clientCa, crl, clientCert = clientCa === undefined ? 'none' : 'optional' } = options
  if (clientCert !== 'none' && clientCa === undefined)
    throw filesError(`\`clientCert: ${clientCert}\` requires \`clientCa\``)
  if (crl !== undefined && clientCa === undefined) throw filesError('`crl` requires `clientCa`')
  return clientCert
}

/** Reads all files. Rejects with `tls.files`. */
const readAll = async (
  options: ServerTlsOptions,
  requested: boolean,
  host: TlsHost,
  own?: KeyPair,
  known?: LoadedFiles
): Promise<LoadedFiles> => {
  const [keyPair, clientCa, crl] = await Promise.all([
    own ?? readKeyPair(options, host.dir, known?.keyPair),
    options.clientCa === undefined
      ? undefined
      : readAuthorities('clientCa', options.clientCa, host.dir, known?.pem.clientCa),
    options.crl === undefined ? undefined : readPem('crl', options.crl, host.dir, CRL, 'revocation list')
  ])
  if (keyPair === undefined) throw filesError('no certificate')
  const { cert, key } = keyPair
  const shared = suites(options.minVersion)
  const context: SecureContextOptions = {
    ...shared,
    // A resumed session does not present its certificate again, which may be revoked or expired by now.
    secureOptions: shared.secureOptions | (requested ? constants.SSL_OP_NO_TICKET : 0),
    cert,
    key,
    ...(clientCa === undefined ? {} : { ca: clientCa }),
    ...(crl === undefined ? {} : { crl: crlsOf(crl) })
  }
  try {
    createSecureContext(context)
  } catch (error) {
    throw filesError(`${crl === undefined ? 'cert' : `crl ${options.crl}`}: ${(error as Error).message}`, error)
  }
  const pem = { cert, key, ...(clientCa === undefined ? {} : { clientCa }), ...(crl === undefined ? {} : { crl }) }
  return { keyPair, pem, context }
}

class WatchedServerTls implements ServerTls {
  onChange: ServerTls['onChange']
  readonly join: ServerTls['join']
  readonly #expiry: ExpiryWatch
  #read: LoadedFiles
  #cancel = (): void => {}
  #closed = false
  /** The last error: logged once. */
  #lastError: string | undefined

  constructor(
    first: LoadedFiles,
    readonly clientCert: ClientCert,
    private readonly fields: ServerTlsOptions,
    private readonly host: TlsHost,
    private readonly own: KeyPair | undefined
  ) {
    this.#read = first
    this.join = own === undefined ? undefined : { fingerprint: fingerprintOf(own.leaf.raw) }
    this.#expiry = new ExpiryWatch(host.log, host.clock)
    this.#watchExpiry()
    if (fields.cert !== undefined || fields.clientCa !== undefined) this.#schedule()
  }

  get pem(): ServerPem {
    return this.#read.pem
  }

  get options(): TlsOptions {
    return {
      ...this.#read.context,
      requestCert: this.clientCert !== 'none',
      rejectUnauthorized: this.clientCert === 'required'
    }
  }

  close(): void {
    this.#closed = true
    this.onChange = undefined
    this.#cancel()
    this.#expiry.close()
  }

  /** A certificate that is valid now is not replaced by one that is not. */
  #checkTime({ leaf }: KeyPair): void {
    const now = this.host.clock.now()
    const ends = Date.parse(leaf.validTo)
    const begins = Date.parse(leaf.validFrom)
    const present = this.#read.keyPair.leaf
    if (Date.parse(present.validTo) <= now || Date.parse(present.validFrom) > now || (begins <= now && ends > now))
      return
    throw filesError(
      `cert ${this.fields.cert}: ${ends <= now ? `expired on ${leaf.validTo}` : `not valid before ${leaf.validFrom}`}`
    )
  }

  #watchExpiry(): void {
    const { keyPair, pem } = this.#read
    const name = this.fields.cert === undefined ? 'the self-signed certificate' : `the certificate ${this.fields.cert}`
    const watched: [string, Validity][] = [[name, validityOf(keyPair.leaf)]]
    for (const list of crlsOf(pem.crl ?? '')) {
      const ends = crlEnds(list)
      // One that begins later is refused where it is read.
      if (ends !== undefined)
        watched.push([`the revocation list ${this.fields.crl}`, { begins: Number.NEGATIVE_INFINITY, ends }])
    }
    this.#expiry.set(watched)
  }

  #schedule(): void {
    this.#cancel = this.host.clock.after(RELOAD_INTERVAL_MS, () => {
      const reloaded = this.#reload().finally(() => {
        if (!this.#closed) this.#schedule()
      })
      background(reloaded, this.host.log, 'certificate files were not read')
    })
  }

  /** Never rejects. Half-written files do not match, and are read again. */
  async #reload(): Promise<void> {
    const { log } = this.host
    try {
      const read = await readAll(this.fields, this.clientCert !== 'none', this.host, this.own, this.#read)
      const changed = !same(read.pem, this.#read.pem)
      if (changed) this.#checkTime(read.keyPair)
      this.#lastError = undefined
      if (this.#closed || !changed) return
      this.#read = read
      log.info(
        { fingerprint: fingerprintOf(read.keyPair.leaf.raw), expires: read.keyPair.leaf.validTo },
        'certificate files reloaded'
      )
      this.#watchExpiry()
      this.onChange?.(read.context, read.pem)
    } catch (error) {
      const { message } = error as Error
      if (this.#closed || message === this.#lastError) return
      this.#lastError = message
      log.warn({ err: error }, 'changed certificate files are invalid; the previous ones stay in use')
    }
  }
}

const same = (a: ServerPem, b: ServerPem): boolean =>
  a.cert === b.cert && a.key === b.key && a.clientCa === b.clientCa && a.crl === b.crl

/** A certificate that does not change. Throws `tls.files` where it cannot be used. */
export const fixedServerTls = (
  { cert, key }: Pick<ServerPem, 'cert' | 'key'>,
  minVersion: ServerTlsOptions['minVersion']
): ServerTls => ({
  pem: { cert, key },
  options: { ...suites(minVersion), cert, key, requestCert: false, rejectUnauthorized: false },
  clientCert: 'none',
  join: undefined,
  onChange: undefined,
  close: () => {}
})

/** Reads the files, or creates a self-signed certificate, and watches for changes. Rejects with `tls.files`. */
export const openServerTls = async (options: ServerTlsOptions, host: TlsHost): Promise<ServerTls> => {
  const clientCert = checkOptions(options)
  const own = options.cert === undefined && options.key === undefined ? await ownKeyPair(host) : undefined
  const first = await readAll(options, clientCert !== 'none', host, own)
  return new WatchedServerTls(first, clientCert, options, host, own)
}
