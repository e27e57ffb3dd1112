import { BoundedMap } from '@rystra/limits'
import type { Clock, Logger } from '@rystra/plugin'
import { type ClientFiles, type ClientTls, clientTlsOf, readClientFiles } from './client-tls.js'
import { expiryWarning } from './expiry.js'
import { type ClientTlsOptions, clientTlsFields } from './options.js'

/** Minimum time between two reads of the files: a muxer may dial for each stream. */
const READ_INTERVAL_MS = 1000

/** Time between two warnings about an expiring client certificate. */
const WARN_INTERVAL_MS = 86_400_000

/** Targets whose trust is cached. A client has one, and two during a reload. */
const MAX_ENTRIES = 8

/** The part of the extension's context that a dialer uses. */
export interface TlsDialerHost {
  readonly dir: string
  readonly log: Logger
  readonly clock: Clock
}

interface Entry {
  readonly tls: ClientTls
  readonly files: ClientFiles
  readonly read: number
}

const fields = Object.keys(clientTlsFields) as (keyof ClientTlsOptions)[]

/**
 * Caches {@link readClientTls}, and with it resumable sessions, while neither options nor files change. One per
 * transport of a client.
 */
export class TlsDialer {
  readonly #entries = new BoundedMap<string, Entry>(MAX_ENTRIES)
  #warned = Number.NEGATIVE_INFINITY

  constructor(private readonly host: TlsDialerHost) {}

  /** The trust for `to` under these options. Rejects with `tls.files`. */
  async trust(options: ClientTlsOptions, to: string): Promise<ClientTls> {
    const { clock, dir } = this.host
    const key = JSON.stringify([to, ...fields.map((field) => options[field] ?? null)])
    const before = this.#entries.get(key)
    const now = clock.now()
    if (before !== undefined && now - before.read < READ_INTERVAL_MS && now >= before.read) return before.tls
    const files = await readClientFiles(options, dir, before?.files)
    const present = this.#entries.get(key)?.tls
    const unchanged = present !== undefined && JSON.stringify(files.pem) === JSON.stringify(present.pem)
    const tls = unchanged ? present : clientTlsOf(options, to, files)
    this.#entries.set(key, { tls, files, read: now })
    this.#warn(tls, options, now)
    return tls
  }

  #warn({ validity }: ClientTls, { cert }: ClientTlsOptions, now: number): void {
    if (validity === undefined || now - this.#warned < WARN_INTERVAL_MS) return
    const warning = expiryWarning(`the certificate ${cert} of this client`, validity, now)
    if (warning === undefined) return
    this.#warned = now
    this.host.log.warn({ expires: new Date(validity.ends).toISOString() }, warning)
  }
}
