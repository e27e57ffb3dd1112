import { RystraError, type TlsFacts } from '@rystra/plugin'
import { createHash } from 'node:crypto'

/**
 * Header in which a server tells what its end of the link is bound to: a hash of the binding, or `none`. An
 * authenticator binds its proof to the TLS session below; where TLS ends in front of the server the two ends do not have
 * the same one, and all that could be told without this is that the proof does not hold. Whoever forges it prevents a
 * link, and gains nothing: what is bound to what is decided by the options of each end alone.
 */
export const BOUND_HEADER = 'Rystra-Bound'

/** The value of the header. */
export const boundTo = (tls: TlsFacts | undefined): string =>
  tls?.binding === undefined ? 'none' : createHash('sha256').update(tls.binding).digest('base64url')

/** Compares what the server says with this end. Throws `tls.terminated`. */
export const checkBound = (theirs: unknown, tls: TlsFacts | undefined, at: string): void => {
  if (typeof theirs !== 'string' || theirs === boundTo(tls)) return
  if (tls?.binding !== undefined) throw new RystraError('tls.terminated', { detail: at })
  throw new RystraError('tls.terminated', {
    detail: `${at}, TLS reaches the server, and this client does not bind to it`,
    hint: 'take `tlsTerminated` out of client.connect; if TLS is ended and begun again in between, set it on the listen entry of the server too'
  })
}

/** What is left of the facts when TLS is not that of the two ends: a certificate or a binding would be somebody else's. */
export const withoutEnds = ({ version, cipher, alpn, serverName }: TlsFacts): TlsFacts => ({
  version,
  cipher,
  ...(alpn === undefined ? {} : { alpn }),
  ...(serverName === undefined ? {} : { serverName })
})
