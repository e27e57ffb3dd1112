import type { CertificatePair } from '@rystra/plugin'

/** Answers to challenges of orders that are in progress. */
export class Challenges {
  readonly #http = new Map<string, string>()
  readonly #tls = new Map<string, CertificatePair>()

  http(host: string, token: string): string | undefined {
    return this.#http.size === 0 ? undefined : this.#http.get(`${host} ${token}`)
  }

  tls(host: string): CertificatePair | undefined {
    return this.#tls.get(host)
  }

  /** Returns the function that removes it. */
  addHttp(host: string, token: string, keyAuthorization: string): () => void {
    const key = `${host} ${token}`
    this.#http.set(key, keyAuthorization)
    return () => void this.#http.delete(key)
  }

  /** Returns the function that removes it. */
  addTls(host: string, certificate: CertificatePair): () => void {
    this.#tls.set(host, certificate)
    return () => void this.#tls.delete(host)
  }
}
