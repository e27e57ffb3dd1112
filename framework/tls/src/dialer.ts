import type { Clock, Logger } from '@rystra/plugin'
import { type ClientTls, clientTlsOf, readClientFiles } from './client-tls.js'
import { expiryWarning } from './expiry.js'
import { type ClientTlsOptions, clientTlsFields } from './fields.js'

/** Files are read again so often at most, in milliseconds: a muxer may dial for each stream. */
const READ_EVERY = 1000

/** How often somebody is told that the certificate of the client ends, in milliseconds. */
const WARN_EVERY = 86_400_000

/** Targets that are remembered. A client has one; while it reloads, two. */
const MOST = 8

/** What a dialer needs of the extension's context. */
export interface TlsDialerHost {
  readonly dir: string
  readonly log: Logger
  readonly clock: Clock
}

interface Entry {
  readonly tls: ClientTls
  readonly read: number
}

const fields = Object.keys(clientTlsFields) as (keyof ClientTlsOptions)[]

/**
 * Keeps what {@link readClientTls} makes, and with it the sessions that may be resumed, for as long as neither options nor
 * files change. One for each transport of a client.
 */
export class TlsDialer {
  readonly #entries = new Map<string, Entry>()
  #warned = Number.NEGATIVE_INFINITY

  constructor(private readonly host: TlsDialerHost) {}

  /** What is trusted under these options for `to`. Rejects with `tls.files`. */
  async trust(options: ClientTlsOptions, to: string): Promise<ClientTls> {
    const { clock, dir } = this.host
    const key = JSON.stringify([to, ...fields.map((field) => options[field] ?? null)])
    const before = this.#entries.get(key)
    const now = clock.now()
    if (before !== undefined && now - before.read < READ_EVERY && now >= before.read) return before.tls
    const files = await readClientFiles(options, dir)
    const present = this.#entries.get(key)?.tls
    const unchanged = present !== undefined && JSON.stringify(files.pem) === JSON.stringify(present.pem)
    const tls = unchanged ? present : clientTlsOf(options, to, files)
    this.#entries.delete(key)
    this.#entries.set(key, { tls, read: now })
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > MOST && oldest !== undefined) this.#entries.delete(oldest)
    this.#warn(tls, options, now)
    return tls
  }

  #warn({ expires }: ClientTls, { cert }: ClientTlsOptions, now: number): void {
    if (expires === undefined || now - this.#warned < WARN_EVERY) return
    const warning = expiryWarning(`the certificate ${cert} of this client`, expires.getTime(), now)
    if (warning === undefined) return
    this.#warned = now
    this.host.log.warn({ expires: expires.toISOString() }, warning)
  }
}
