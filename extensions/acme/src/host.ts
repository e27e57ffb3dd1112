import type { CertificateInfo, CertificatePair, RystraError } from '@rystra/plugin'
import { X509Certificate } from 'node:crypto'

/** A certificate is renewed when this part of its life is over. */
const RENEW_AT = 2 / 3

/** Part of the life over which renewals are spread, so that those of one day do not come at once. */
const SPREAD = 1 / 50

/** With less than this part of its life left, a certificate that was not renewed is reported. */
const EXPIRING = 1 / 6

/** A certificate in use. */
export interface InUse {
  readonly pair: CertificatePair
  /** Milliseconds since the epoch. */
  readonly begins: number
  readonly ends: number
  readonly renew: number
}

/** When a certificate ends and is renewed. @param random from 0 to 1 */
export const inUse = (pair: CertificatePair, random: number): InUse => {
  const { validFrom, validTo } = new X509Certificate(pair.cert)
  const begins = Date.parse(validFrom)
  const ends = Date.parse(validTo)
  return { pair, begins, ends, renew: begins + (ends - begins) * (RENEW_AT - random * SPREAD) }
}

/** One host that may have a certificate. */
export class Host {
  use: InUse | undefined
  state: 'waiting' | 'ordering' | 'failed' = 'waiting'
  error: RystraError | undefined
  /** When it is ordered, in milliseconds since the epoch. */
  next: number | undefined
  /** Until then another process orders. */
  busyUntil = 0
  /** What the state folder has is in {@link use}. */
  loaded = false
  /** A visitor has asked for it. */
  visited = false
  /** Stops the timer of the next order. */
  cancel: () => void = () => {}
  /** Stops the timer of the next attempt to write the certificate. */
  cancelSave: () => void = () => {}

  constructor(readonly name: string) {}

  /** Whether its certificate ends soon. */
  isExpiring(now: number): boolean {
    const { use } = this
    return use !== undefined && use.ends - now < (use.ends - use.begins) * EXPIRING
  }

  info(source: string): CertificateInfo {
    const { name: host, use, state, next, error } = this
    return {
      host,
      source,
      state: state === 'waiting' && use !== undefined ? 'valid' : state,
      ...(use === undefined ? {} : { expires: use.ends }),
      ...(next === undefined ? {} : { next }),
      ...(state !== 'failed' || error === undefined
        ? {}
        : { error: { code: error.code, message: error.message, retryable: error.retryable } })
    }
  }
}
