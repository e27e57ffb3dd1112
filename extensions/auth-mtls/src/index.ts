import { type Authenticator, defineExtension, type Lifecycle } from '@rystra/plugin'
import path from 'node:path'
import { mtlsOptions } from './options.js'
import { makeProof } from './proof.js'
import { Revocation } from './revocation.js'
import { compileRule } from './rules.js'
import { verifier } from './verify.js'

export type { MtlsOptions, MtlsRule } from './options.js'

const method = 'mtls'

const client: Authenticator = {
  method,
  unfit: ({ tls }) => (tls === undefined ? 'the link has no TLS, and so no certificate of this client' : undefined),
  prove: (challenge) => ({ proof: makeProof(challenge) })
}

/**
 * Clients known by the certificate that they show to the transport, which has verified it (`clientCa`).
 * Client: no options; `cert` and `key` are its transport's. Server: `rules` say who is who, `revoked` and `crl` who is not.
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
      log.warn('no rules: nobody can authenticate by certificate')
      registries.authenticators.add({ method })
      return undefined
    }
    const here = (file: string): string => path.resolve(dir, file)
    const compiled = rules.map((rule, index) => compileRule(rule, `rules[${index}]`))
    const revocation = new Revocation(revoked, crl.map(here), ca.map(here), log, clock)
    registries.authenticators.add({
      method,
      unfit: ({ tls }) => (tls?.certificate === undefined ? 'no verified certificate on this link' : undefined),
      verify: verifier(compiled, revocation, clock)
    })
    return { start: () => revocation.load() }
  }
})
