import { defineExtension, type ExtensionContext, type Lifecycle, RystraError } from '@rystra/plugin'
import path from 'node:path'
import { openIssuer } from './issuer.js'
import { type JwtOptions, jwtOptions, type TrustedIssuer } from './options.js'
import { makeProof } from './proof.js'
import { TokenSource } from './token-source.js'
import { reviewer, verifier } from './verify.js'

export type { IssuerOptions, JwtOptions } from './options.js'

const method = 'jwt'

type Context = ExtensionContext<JwtOptions>

const setUpClient = ({ registries, options, log, clock, dir }: Context): Lifecycle | undefined => {
  const { token, allowPlain } = options
  const file = options.file === undefined ? undefined : path.resolve(dir, options.file)
  if (token !== undefined && file !== undefined) {
    throw new RystraError('extension.options', { detail: 'exactly one of token and file is allowed' })
  }
  if (token === undefined && file === undefined) {
    registries.authenticators.add({ method })
    return undefined
  }
  const source = new TokenSource(token, file, log, clock)
  registries.authenticators.add({
    method,
    unfit: ({ tls }) =>
      tls === undefined && !allowPlain
        ? 'the link has no TLS and would reveal the token; use a transport with TLS'
        : undefined,
    prove: async (challenge) => ({ proof: makeProof(await source.current(), challenge) })
  })
  return { start: () => source.load() }
}

const setUpServer = ({ registries, options, log, clock, dir }: Context): Lifecycle | undefined => {
  // Defaults are applied by the framework.
  const entries = (options.issuers ?? []) as TrustedIssuer[]
  if (entries.length === 0) {
    log.warn('no issuers: clients cannot authenticate by JSON Web Token')
    registries.authenticators.add({ method })
    return undefined
  }
  const issuers = entries.map((entry, index) => openIssuer(entry, { dir, log, clock }, `issuers[${index}]`))
  const named = entries.map(({ issuer }) => issuer)
  if (entries.length > 1 && (named.includes(undefined) || new Set(named).size !== named.length)) {
    throw new RystraError('extension.options', { detail: 'each of several issuers requires its own `issuer`' })
  }
  const templates = entries.map(({ identity }) => identity)
  if (entries.length > 1 && new Set(templates).size !== templates.length && !templates.every(namesIssuer)) {
    throw new RystraError('extension.options', {
      detail: 'the same `identity` for several issuers: ids of different issuers could collide',
      hint: 'add a distinct prefix, or {iss}, to each `identity`'
    })
  }
  registries.authenticators.add({ method, verify: verifier(issuers, clock), review: reviewer(issuers) })
  return {
    start: async () => void (await Promise.all(issuers.map(({ keys }) => keys.load()))),
    stop: () => {
      for (const { keys } of issuers) keys.stop()
    }
  }
}

const namesIssuer = (template: string): boolean => template.includes('{iss}')

/**
 * JSON Web Tokens (RFC 7519) of identity providers. Client: `token` or `file`, sent only over TLS. Server: `issuers`,
 * whose keys are a secret, a public key, or a key set in a file or at a URL.
 */
export default defineExtension({
  name: 'auth-jwt',
  options: jwtOptions,
  setup: (context): Lifecycle | undefined => (context.role === 'client' ? setUpClient(context) : setUpServer(context))
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/auth-jwt': Partial<JwtOptions>
  }
}
