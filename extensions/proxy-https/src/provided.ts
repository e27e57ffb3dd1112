import { sourceOf } from '@rystra/net'
import type { CertificatePair, Logger, Registries } from '@rystra/plugin'
import { fixedServerTls, openServerTls, type ServerTls, TlsAcceptor, type TlsHost } from '@rystra/tls'
import type { AcceptorOptions } from './certificates.js'
import type { HttpsOptions } from './options.js'

interface Entry {
  readonly pair: CertificatePair
  readonly acceptor: TlsAcceptor
}

/** Certificates of `registries.certificateSources`. A host without one yet gets the self-signed certificate of the server. */
export class ProvidedCertificates {
  readonly #registries: Registries
  readonly #minVersion: HttpsOptions['minVersion']
  readonly #options: AcceptorOptions
  readonly #log: Logger
  readonly #entries = new Map<string, Entry>()
  readonly #warned = new Set<string>()
  #own: { readonly tls: ServerTls; readonly acceptor: TlsAcceptor } | undefined

  constructor(registries: Registries, minVersion: HttpsOptions['minVersion'], options: AcceptorOptions, log: Logger) {
    this.#registries = registries
    this.#minVersion = minVersion
    this.#options = options
    this.#log = log
  }

  /** Makes the self-signed certificate, where there are sources. Rejects with `tls.files`. */
  async open(host: TlsHost): Promise<void> {
    if (this.#own !== undefined || this.#registries.certificateSources.list().length === 0) return
    const tls = await openServerTls({ minVersion: this.#minVersion }, host)
    this.#own = { tls, acceptor: new TlsAcceptor({ ...this.#options, tls }) }
  }

  /** What accepts visitors of hosts without a certificate. */
  get provisional(): TlsAcceptor | undefined {
    return this.#own?.acceptor
  }

  /** Whether there is a certificate of an authority for this host. */
  has(host: string): boolean {
    return sourceOf(this.#registries, host)?.certificate(host) !== undefined
  }

  acceptor(host: string): TlsAcceptor | undefined {
    const source = sourceOf(this.#registries, host)
    if (source === undefined) {
      this.#forget(host)
      return undefined
    }
    const pair = source.certificate(host)
    if (pair === undefined) return this.#provisional(host, source.name)
    const known = this.#entries.get(host)
    if (known?.pair === pair) return known.acceptor
    const tls = fixedServerTls(pair, this.#minVersion)
    const acceptor = new TlsAcceptor({ ...this.#options, tls })
    this.#entries.set(host, { pair, acceptor })
    this.#warned.delete(host)
    return acceptor
  }

  close(): void {
    for (const { acceptor } of this.#entries.values()) acceptor.close()
    this.#own?.acceptor.close()
    this.#own?.tls.close()
  }

  #forget(host: string): void {
    this.#entries.get(host)?.acceptor.close()
    this.#entries.delete(host)
    this.#warned.delete(host)
  }

  #provisional(host: string, source: string): TlsAcceptor | undefined {
    const own = this.#own
    if (own !== undefined && !this.#warned.has(host)) {
      this.#warned.add(host)
      this.#log.warn({ host, source }, 'there is no certificate for this host yet: visitors get the self-signed one')
    }
    return own?.acceptor
  }
}
