import { fingerprintOf } from '@rystra/certificates'
import type { Clock, Logger } from '@rystra/plugin'
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContextOptions, type TlsOptions } from 'node:tls'
import { crlEnds } from './crl.js'
import { ExpiryWatch } from './expiry.js'
import type { ServerTlsOptions } from './fields.js'
import { CRL, crlsOf, filesError, readPem } from './files.js'
import { type Identity, readAuthorities, readIdentity } from './identity.js'
import { ownIdentity } from './self-signed.js'
import { suites } from './suites.js'

/**
 * How often the files are looked at, in milliseconds. They are read whole: what a file system tells of changes is not to
 * be relied on where a link is put in the place of another, as certbot and Kubernetes do.
 */
const LOOK_EVERY = 5000

/** What TLS needs of the extension's context. */
export interface TlsHost {
  readonly dir: string
  readonly stateDir: string
  readonly log: Logger
  readonly clock: Clock
}

/** PEM texts. */
export interface ServerPem {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string
  readonly crl?: string
}

/** Whether clients are asked for a certificate. */
export type ClientCert = 'none' | 'optional' | 'required'

/** The identity of a listener. */
export interface ServerTls {
  /** As last read. */
  readonly pem: ServerPem
  /** For `tls.createServer`, `http2.createSecureServer` and the like, ALPN aside. */
  readonly options: TlsOptions
  readonly clientCert: ClientCert
  /** What clients pin, if the certificate was made here. See `Listener.join`. */
  readonly join: Readonly<Record<string, string>> | undefined
  /** Called when the files changed and are good: put `context` in place with `server.setSecureContext(context)`. */
  onChange: ((context: SecureContextOptions, pem: ServerPem) => void) | undefined
  /** Looks at the files no more. */
  close(): void
}

interface Read {
  readonly identity: Identity
  readonly pem: ServerPem
  readonly context: SecureContextOptions
}

const checkOptions = (options: ServerTlsOptions): ClientCert => {
  const { clientCa, crl, clientCert = clientCa === undefined ? 'none' : 'optional' } = options
  if (clientCert !== 'none' && clientCa === undefined)
    throw filesError(`\`clientCert: ${clientCert}\` needs \`clientCa\``)
  if (crl !== undefined && clientCa === undefined)
    throw filesError('`crl` is given without `clientCa`, whose list it is')
  return clientCert
}

/** Reads everything anew. Rejects with `tls.files`. */
const readAll = async (options: ServerTlsOptions, asked: boolean, host: TlsHost, own?: Identity): Promise<Read> => {
  const [identity, clientCa, crl] = await Promise.all([
    own ?? readIdentity(options, host.dir),
    options.clientCa === undefined ? undefined : readAuthorities('clientCa', options.clientCa, host.dir),
    options.crl === undefined ? undefined : readPem('crl', options.crl, host.dir, CRL, 'revocation list')
  ])
  if (identity === undefined) throw filesError('there is no certificate')
  const { cert, key } = identity
  const shared = suites(options.minVersion)
  const context: SecureContextOptions = {
    ...shared,
    // A session that is resumed is not asked for its certificate again, which may be revoked or over by now.
    secureOptions: shared.secureOptions | (asked ? constants.SSL_OP_NO_TICKET : 0),
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
  return { identity, pem, context }
}

class Files implements ServerTls {
  onChange: ServerTls['onChange']
  readonly join: ServerTls['join']
  readonly #expiry: ExpiryWatch
  #read: Read
  #cancel = (): void => {}
  #closed = false
  /** What was wrong when they were last looked at: said once. */
  #wrong: string | undefined

  constructor(
    first: Read,
    readonly clientCert: ClientCert,
    private readonly fields: ServerTlsOptions,
    private readonly host: TlsHost,
    private readonly own: Identity | undefined
  ) {
    this.#read = first
    this.join = own === undefined ? undefined : { fingerprint: fingerprintOf(own.leaf.raw) }
    this.#expiry = new ExpiryWatch(host.log, host.clock)
    this.#watchExpiry()
    if (fields.cert !== undefined || fields.clientCa !== undefined) this.#lookLater()
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

  /** What is valid now does not make room for what is not. */
  #checkTime({ leaf }: Identity): void {
    const now = this.host.clock.now()
    const ends = Date.parse(leaf.validTo)
    const begins = Date.parse(leaf.validFrom)
    const present = this.#read.identity.leaf
    if (Date.parse(present.validTo) <= now || Date.parse(present.validFrom) > now || (begins <= now && ends > now))
      return
    throw filesError(
      `cert ${this.fields.cert}: ${ends <= now ? `it has expired on ${leaf.validTo}` : `it is not valid before ${leaf.validFrom}`}`
    )
  }

  #watchExpiry(): void {
    const { identity, pem } = this.#read
    const name = this.fields.cert === undefined ? 'the self-signed certificate' : `the certificate ${this.fields.cert}`
    const ends: [string, number][] = [[name, Date.parse(identity.leaf.validTo)]]
    for (const list of crlsOf(pem.crl ?? '')) {
      const end = crlEnds(list)
      if (end !== undefined) ends.push([`the revocation list ${this.fields.crl}`, end])
    }
    this.#expiry.set(ends)
  }

  #lookLater(): void {
    this.#cancel = this.host.clock.after(LOOK_EVERY, () => {
      void this.#look().finally(() => {
        if (!this.#closed) this.#lookLater()
      })
    })
  }

  /** Never rejects. What is half written does not fit together, and is looked at again. */
  async #look(): Promise<void> {
    const { log } = this.host
    try {
      const read = await readAll(this.fields, this.clientCert !== 'none', this.host, this.own)
      const changed = !same(read.pem, this.#read.pem)
      if (changed) this.#checkTime(read.identity)
      this.#wrong = undefined
      if (this.#closed || !changed) return
      this.#read = read
      log.info(
        { fingerprint: fingerprintOf(read.identity.leaf.raw), expires: read.identity.leaf.validTo },
        'certificate files were read again'
      )
      this.#watchExpiry()
      this.onChange?.(read.context, read.pem)
    } catch (error) {
      const { message } = error as Error
      if (this.#closed || message === this.#wrong) return
      this.#wrong = message
      log.warn({ err: error }, 'certificate files changed and cannot be used; those read before stay in use')
    }
  }
}

const same = (a: ServerPem, b: ServerPem): boolean =>
  a.cert === b.cert && a.key === b.key && a.clientCa === b.clientCa && a.crl === b.crl

/** Reads the files, or makes and keeps a self-signed certificate, and watches over them. Rejects with `tls.files`. */
export const openServerTls = async (options: ServerTlsOptions, host: TlsHost): Promise<ServerTls> => {
  const clientCert = checkOptions(options)
  const own = options.cert === undefined && options.key === undefined ? await ownIdentity(host) : undefined
  const first = await readAll(options, clientCert !== 'none', host, own)
  return new Files(first, clientCert, options, host, own)
}
