import type { Clock, Logger, RystraError } from '@rystra/plugin'

/** Time between two warnings of the same kind, so that peers cannot flood the log. */
const WARN_INTERVAL_MS = 60_000

/** Errors that an administrator can fix: those of certificates. */
const actionable = new Set<string>([
  'tls.untrusted',
  'tls.expired',
  'tls.revoked',
  'tls.wrong-host',
  'tls.certificate-required'
])

interface LastWarning {
  at: number
  suppressed: number
}

/** Logs failed handshakes: all at level debug, certificate errors also as warnings, at a limited rate. */
export class HandshakeLog {
  readonly #last = new Map<string, LastWarning>()

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  failed(error: RystraError, peer: string): void {
    this.log.debug({ err: error, peer }, 'TLS handshake failed')
    if (!actionable.has(error.code)) return
    const key = `${error.side} ${error.code}`
    const last = this.#last.get(key)
    const now = this.clock.now()
    if (last !== undefined && Math.abs(now - last.at) < WARN_INTERVAL_MS) {
      last.suppressed += 1
      return
    }
    this.#last.set(key, { at: now, suppressed: 0 })
    const more = last === undefined || last.suppressed === 0 ? {} : { more: last.suppressed }
    this.log.warn({ peer, code: error.code, hint: error.hint, ...more }, error.message)
  }
}
