import type { Clock, Logger, RystraError } from '@rystra/plugin'

/** Milliseconds between two lines about the same thing: strangers must not be able to fill a log. */
const EVERY = 60_000

/** What somebody on this side, or on the other, has to do something about: certificates. */
const actionable = new Set<string>([
  'tls.untrusted',
  'tls.expired',
  'tls.revoked',
  'tls.wrong-host',
  'tls.certificate-required'
])

interface Told {
  at: number
  since: number
}

/** Says what became of handshakes that failed: all at level debug, and what can be acted on now and then as a warning. */
export class HandshakeLog {
  readonly #told = new Map<string, Told>()

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  failed(error: RystraError, peer: string): void {
    this.log.debug({ err: error, peer }, 'a TLS handshake failed')
    if (!actionable.has(error.code)) return
    const key = `${error.side} ${error.code}`
    const told = this.#told.get(key)
    const now = this.clock.now()
    if (told !== undefined && Math.abs(now - told.at) < EVERY) {
      told.since += 1
      return
    }
    this.#told.set(key, { at: now, since: 0 })
    const more = told === undefined || told.since === 0 ? {} : { more: told.since }
    this.log.warn({ peer, code: error.code, hint: error.hint, ...more }, error.message)
  }
}
