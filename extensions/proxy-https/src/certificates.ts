import { RystraError, type TlsFacts } from '@rystra/plugin'
import { openServerTls, type ServerTls, TlsAcceptor, type TlsAcceptorOptions, type TlsHost } from '@rystra/tls'
import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { asciiHostPattern } from '@rystra/address'
import { wildcardsOver } from './names.js'
import type { CertificateEntry, HttpsOptions } from './options.js'

/** Called with a visitor whose TLS ended here, and the connection below. */
export type OnSecure = (socket: TLSSocket, facts: TlsFacts, tcp: Socket) => void

/** Options of the acceptors of all certificates. */
export type AcceptorOptions = Omit<TlsAcceptorOptions, 'tls'>

/** Makes them. */
export const acceptorOptions = (
  { http2, handshakeTimeout }: Pick<HttpsOptions, 'http2' | 'handshakeTimeout'>,
  host: Pick<TlsHost, 'log' | 'clock'>,
  onSocket: OnSecure
): AcceptorOptions => ({
  alpn: http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
  host,
  handshakeTimeout,
  // They are counted before they come here.
  handshakes: Number.MAX_SAFE_INTEGER,
  onSocket
})

type Options = Pick<HttpsOptions, 'certificates' | 'minVersion'>

interface Entry {
  readonly written: CertificateEntry
  readonly tls: ServerTls
  readonly acceptor: TlsAcceptor
}

/** What an entry is called in logs and errors. */
const nameOf = ({ cert, hosts = [] }: CertificateEntry): string => cert ?? `self-signed for ${hosts.join(', ')}`

/** The names of hosts that a certificate is for, RFC 6125: those of DNS, not that of the subject. */
const namesIn = (leaf: X509Certificate): string[] =>
  (leaf.subjectAltName ?? '').split(', ').flatMap((name) => {
    const host = name.startsWith('DNS:') ? asciiHostPattern(name.slice(4)) : undefined
    return host === undefined ? [] : [host]
  })

/** The certificates of hosts whose TLS ends here. A wildcard is for one label, as it is for browsers. */
export class Certificates {
  readonly #entries: readonly Entry[]
  readonly #log: TlsHost['log']
  #byHost = new Map<string, TlsAcceptor>()

  private constructor(entries: readonly Entry[], log: TlsHost['log']) {
    this.#entries = entries
    this.#log = log
  }

  /** Reads the files, and watches over them. Rejects with `tls.files`. */
  static async open(options: Options, host: TlsHost, acceptors: AcceptorOptions): Promise<Certificates> {
    const { certificates, minVersion } = options
    const entries: Entry[] = []
    const opened = new Certificates(entries, host.log)
    try {
      for (const written of certificates) {
        const { cert, key } = written
        const files = { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) }
        const tls = await openServerTls({ ...files, minVersion }, host)
        const acceptor = new TlsAcceptor({ ...acceptors, tls })
        const { onChange } = tls
        tls.onChange = (context, pem) => {
          onChange?.(context, pem)
          opened.#index(false)
        }
        entries.push({ written, tls, acceptor })
      }
      opened.#index(true)
      return opened
    } catch (error) {
      opened.close()
      throw error
    }
  }

  /** Whose certificate names exactly this host. */
  exact(host: string): TlsAcceptor | undefined {
    return this.#byHost.get(host)
  }

  /** Whose certificate has a wildcard for it. */
  covering(host: string): TlsAcceptor | undefined {
    const [nearest] = wildcardsOver(host)
    return nearest === undefined ? undefined : this.#byHost.get(nearest)
  }

  /** Whether TLS of this host can end here. */
  names(host: string): boolean {
    return this.exact(host) !== undefined || this.covering(host) !== undefined
  }

  /** Whether one of them is for this host, or for the same hosts as this wildcard. */
  holds(host: string): 'exactly' | 'by wildcard' | undefined {
    if (this.#byHost.has(host)) return host.startsWith('*.') ? 'by wildcard' : 'exactly'
    return host.startsWith('*.') || this.covering(host) === undefined ? undefined : 'by wildcard'
  }

  close(): void {
    for (const { acceptor, tls } of this.#entries) {
      acceptor.close()
      tls.close()
    }
  }

  #index(first: boolean): void {
    const byHost = new Map<string, TlsAcceptor>()
    for (const { written, tls, acceptor } of this.#entries) {
      const leaf = new X509Certificate(tls.pem.cert)
      for (const host of this.#hostsOf(written, leaf, first)) {
        if (!byHost.has(host)) byHost.set(host, acceptor)
        else this.#log.warn({ host, cert: nameOf(written) }, 'the host is in a certificate before this one already')
      }
    }
    this.#byHost = byHost
  }

  #hostsOf(written: CertificateEntry, leaf: X509Certificate, first: boolean): readonly string[] {
    const name = nameOf(written)
    if (written.hosts === undefined) {
      const hosts = namesIn(leaf)
      if (hosts.length > 0) return hosts
      const detail = `${name}: no host is named in it, so \`hosts\` is needed`
      if (first) throw new RystraError('tls.files', { side: 'server', detail })
      this.#log.warn({ cert: name }, 'no host is named in the certificate any more')
      return []
    }
    return written.hosts.map((one) => {
      const host = asciiHostPattern(one) ?? one
      const known = leaf.checkHost(host.replace('*', 'any-label')) !== undefined
      if (written.cert !== undefined && !known)
        this.#log.warn({ cert: name, host }, 'the certificate is not for this host')
      return host
    })
  }
}
