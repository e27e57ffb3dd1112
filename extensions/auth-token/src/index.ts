import { defineExtension, type Lifecycle, type Registries } from '@rystra/plugin'
import { Keyring } from './keyring.js'
import { tokenOptions } from './options.js'
import { prover } from './prove.js'
import { TokenSource } from './source.js'
import { reviewer, verifier } from './verify.js'
import path from 'node:path'

export type { TokenEntry, TokenOptions } from './options.js'

const method = 'token'

const absolute = (file: string | undefined, dir: string): string | undefined =>
  file === undefined ? undefined : path.resolve(dir, file)

/** Registers the method without credentials: it is neither offered nor chosen. */
const none = (registries: Registries): undefined => {
  registries.authenticators.add({ method })
}

/**
 * Shared tokens by challenge and response: only an HMAC over the handshake crosses the wire, never the token. Client:
 * `token` or `file`. Server: `tokens`, or the same `token` or `file`.
 */
export default defineExtension({
  name: 'auth-token',
  options: tokenOptions,
  setup({ registries, options, role, log, clock, dir }): Lifecycle | undefined {
    const { token, identity } = options
    const file = absolute(options.file, dir)
    const tokens = options.tokens?.map((entry) => ({ ...entry, file: absolute(entry.file, dir) }))
    const alone = token !== undefined || file !== undefined

    if (role === 'client') {
      if (!alone) return none(registries)
      const source = new TokenSource(token === undefined ? 'file' : 'token', token, file, log)
      registries.authenticators.add({ method, prove: prover(source, log) })
      return { start: () => source.read() }
    }

    const entries = tokens ?? (alone ? [{ identity, token, file }] : [])
    if (entries.length === 0) {
      log.warn('no tokens: clients cannot authenticate by token')
      return none(registries)
    }
    const where = tokens === undefined ? (): string => (token === undefined ? 'file' : 'token') : undefined
    const keyring = new Keyring(entries, log, clock, where)
    registries.authenticators.add({ method, verify: verifier(keyring), review: reviewer(keyring) })
    return { start: () => keyring.load() }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/auth-token': Partial<import('./options.js').TokenOptions>
  }
}
