/** Errors of this extension, `acme.<code>`. */
export const failures = {
  wildcard: {
    text: 'no certificate for a wildcard: that needs DNS-01, which is not available',
    hint: 'publish hosts by their names, or give proxy-https a certificate for the wildcard'
  },
  directory: {
    text: 'the authority cannot be reached, or gave a malformed answer',
    hint: 'check `directory`, `ca` and the connection; it is tried again',
    retryable: true
  },
  account: {
    text: 'the authority refused the account',
    hint: 'check `email` and `externalAccount`; it is tried again',
    retryable: true
  },
  'rate-limited': {
    text: 'the authority limits the rate of requests',
    hint: 'none needed: it is tried again when the authority allows it',
    retryable: true
  },
  order: {
    text: 'the authority refused the order',
    hint: 'see the reason of the authority; it is tried again',
    retryable: true
  },
  challenge: {
    text: 'the authority could not verify the host',
    hint: 'the host has to lead to this server: port 80 for http-01, port 443 for tls-alpn-01; it is tried again',
    retryable: true
  },
  certificate: {
    text: 'the certificate of the authority cannot be used',
    hint: 'see the detail; it is ordered again',
    retryable: true
  },
  timeout: {
    text: 'the order was not completed in time',
    hint: 'none needed: it is ordered again',
    retryable: true
  }
} as const

/** What went wrong with an order. */
export type FailureCode = keyof typeof failures

/** Failures that would meet every other host as well. */
const OF_ACCOUNT: readonly FailureCode[] = ['directory', 'account', 'rate-limited']

/** Why there is no certificate. */
export class OrderFailure extends Error {
  constructor(
    readonly code: FailureCode,
    readonly detail: string,
    /** Milliseconds that the authority asked to wait. */
    readonly pause = 0
  ) {
    super(`${code}: ${detail}`)
  }

  /** Whether it would meet every other host as well. */
  get concernsAccount(): boolean {
    return OF_ACCOUNT.includes(this.code)
  }
}
