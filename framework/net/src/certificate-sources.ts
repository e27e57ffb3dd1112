import type { CertificateSource, Registries } from '@rystra/plugin'

/** Where an authority asks for the answer to HTTP-01, RFC 8555 §8.3. The token follows. */
const HTTP_CHALLENGE_PATH = '/.well-known/acme-challenge/'

/** The first source with an answer. */
const firstOf = <Answer>(
  { certificateSources }: Registries,
  ask: (source: CertificateSource) => Answer | undefined
): Answer | undefined => {
  for (const name of certificateSources.list()) {
    const answer = ask(certificateSources.get(name))
    if (answer !== undefined) return answer
  }
  return undefined
}

/** The source that the certificates of a host come from. */
export const sourceOf = (registries: Registries, host: string): CertificateSource | undefined =>
  firstOf(registries, (source) => (source.serves(host) ? source : undefined))

/** The body that answers a request for the challenge of a host. `undefined` for every other request. */
export const httpChallenge = (registries: Registries, host: string, path: string): string | undefined =>
  path.startsWith(HTTP_CHALLENGE_PATH)
    ? firstOf(registries, (source) => source.httpChallenge(host, path.slice(HTTP_CHALLENGE_PATH.length)))
    : undefined

/** The protocol by which an authority asks for the answer to TLS-ALPN-01, RFC 8737 §6.2. */
export const TLS_CHALLENGE_PROTOCOL = 'acme-tls/1'

/** The certificate that answers the challenge of a host. */
export const tlsChallenge = (registries: Registries, host: string) =>
  firstOf(registries, (source) => source.tlsChallenge(host))
