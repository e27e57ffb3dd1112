import { RystraError, type TlsFacts } from '@rystra/plugin'
import { createHash } from 'node:crypto'

/**
 * Header in which the server names the TLS session at its end of the link: a hash of the channel binding, or `none`.
 * Authenticators bind their proof to that session; where TLS ends in front of the server both ends have different ones,
 * and without this header the only symptom would be an invalid proof. A forged value prevents a link and gains nothing:
 * the options of each end alone decide what is bound.
 */
export const BINDING_HEADER = 'Rystra-Bound'

/** The value of the header. */
export const bindingHash = (tls: TlsFacts | undefined): string =>
  tls?.binding === undefined ? 'none' : createHash('sha256').update(tls.binding).digest('base64url')

/** Compares the header with this end. Throws `tls.terminated`. */
export const checkBinding = (received: unknown, tls: TlsFacts | undefined, at: string): void => {
  if (typeof received !== 'string' || received === bindingHash(tls)) return
  if (tls?.binding !== undefined) throw new RystraError('tls.terminated', { detail: at })
  throw new RystraError('tls.terminated', {
    detail: `${at}, TLS reaches the server, but tlsTerminated is set on this client`,
    hint: 'remove `tlsTerminated` from client.connect; if a proxy ends TLS and starts it again, set it on the listen entry of the server too'
  })
}

/**
 * The facts of TLS with a proxy: certificate and channel binding are removed, as they are not those of the other end.
 */
export const hopByHopFacts = ({ version, cipher, alpn, serverName }: TlsFacts): TlsFacts => ({
  version,
  cipher,
  ...(alpn === undefined ? {} : { alpn }),
  ...(serverName === undefined ? {} : { serverName })
})
