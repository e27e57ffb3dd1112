import { type Authenticator, defineExtension, type Lifecycle } from '@rystra/plugin'
import path from 'node:path'
import { mtlsOptions } from './options.js'
import { makeProof } from './proof.js'
import { Revocation } from './revocation.js'
import { compileRule } from './rules.js'
import { reviewer, verifier } from './verify.js'

export type { MtlsOptions, MtlsRule } from './options.js'

const method = 'mtls'

const client: Authenticator = {
  method,
  unfit: ({ tls }) => (tls === undefined ? 'the link has no TLS' : undefined),
  prove: (challenge) => ({ proof: makeProof(challenge) })
}

/**
 * Authenticates clients by the certificate that the transport has verified (`clientCa`). Client: no options; `cert` and
 * `key` are the transport's. Server: `rules` map certificates to identities, `revoked` and `crl` exclude certificates.
 */
export default defineExtension({
  name: 'auth-mtls',
  options: mtlsOptions,
  setup({ registries, options, role, log, clock, dir }): Lifecycle | undefined {
    if (role === 'client') {
      registries.authenticators.add(client)
      return undefined
    }
    const { rules = [], revoked = [], crl = [], ca = [] } = options
    if (rules.length === 0) {
      log.warn('no rules: clients cannot authenticate by certificate')
      registries.authenticators.add({ method })
      return undefined
    }
    const here = (file: string): string => path.resolve(dir, file)
    const compiled = rules.map((rule, index) => compileRule(rule, `rules[${index}]`))
    const revocation = new Revocation(revoked, crl.map(here), ca.map(here), log, clock)
    registries.authenticators.add({
      method,
      unfit: ({ tls }) => (tls?.certificate === undefined ? 'no verified certificate on this link' : undefined),
      verify: verifier(compiled, revocation, clock),
      review: reviewer(compiled, revocation, clock)
    })
    return { start: () => revocation.load() }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/auth-mtls': Partial<import('./options.js').MtlsOptions>
  }
}
