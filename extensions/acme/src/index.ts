import { asciiHostPattern, checkUrl } from '@rystra/address'
import { background, type CertificateInfo, defineExtension, RystraError, type Runtime } from '@rystra/plugin'
import { readAuthorities } from '@rystra/tls'
import { AcmeAuthority } from './acme-authority.js'
import { advise } from './advise.js'
import { Attempts } from './attempts.js'
import { Challenges } from './challenges.js'
import { failures } from './failure.js'
import { Keeper } from './keeper.js'
import { AcmeOptions, directories, directoryOf } from './options.js'
import { Store } from './store.js'
import { wantedHosts } from './wanted.js'

/** Time in which publications are gathered: a client publishes many proxies at once. */
const GATHER_MS = 100

/** The instance that orders, by server. A reload leaves the old one beside its successor until it is drained. */
const active = new WeakMap<Runtime, { readonly keeper: Keeper; readonly directory: string }>()

/** Certificates of published hosts, from an authority that speaks ACME. */
export default defineExtension({
  name: 'acme',
  options: AcmeOptions,
  requires: ['kind:http', 'kind:https'],
  errors: failures,
  advise,
  setup(context) {
    const { name, hooks, registries, options, role, dir, state, log, clock, runtime, error } = context
    if (role === 'client') return undefined
    check(options)
    const directory = directoryOf(options)
    checkUrl(directory, { schemes: ['https'], example: directories.staging }, 'acme: directory')
    const allowed = options.hosts.map((host) => asciiHostPattern(host) ?? host)
    const challenges = new Challenges()
    const store = new Store(state, log, directory)
    const attempts = new Attempts(Math.random)
    let keeper: Keeper | undefined
    let authority: AcmeAuthority | undefined
    let wildcards: ReadonlySet<string> = new Set()
    let cancel: (() => void) | undefined

    registries.certificateSources.add({
      name,
      serves: (host) => keeper?.serves(host) === true,
      certificate: (host) => keeper?.certificate(host),
      httpChallenge: (host, token) => challenges.http(host, token),
      tlsChallenge: (host) => challenges.tls(host),
      *list(): Iterable<CertificateInfo> {
        yield* keeper?.list() ?? []
        const { code, message, retryable } = error('wildcard')
        for (const host of wildcards) {
          yield { host, source: name, state: 'failed', error: { code, message, retryable } }
        }
      }
    })

    const refresh = async (): Promise<void> => {
      cancel?.()
      cancel = undefined
      const wanted = wantedHosts(registries, allowed)
      for (const host of wanted.wildcards) {
        if (!wildcards.has(host))
          log.warn({ err: error('wildcard', { detail: host }) }, 'no certificate for a wildcard')
      }
      wildcards = wanted.wildcards
      await keeper?.keep(wanted.hosts)
    }
    const gather = (): void => {
      if (keeper !== undefined)
        cancel ??= clock.after(GATHER_MS, () =>
          background(refresh(), log, 'the hosts of certificates were not renewed')
        )
    }
    hooks.onPublished.tap(gather)
    hooks.onUnregisterProxy.tap(gather)

    const takeOver = async (): Promise<void> => {
      const before = active.get(runtime)
      if (keeper === undefined) return
      if (before?.keeper !== keeper) before?.keeper.pause()
      active.set(runtime, { keeper, directory })
      await refresh()
      keeper.resume()
    }
    // Not before: the predecessor goes on when the reload fails.
    hooks.onReload.tapPromise(takeOver)

    return {
      async start() {
        attempts.restore(await store.attempts(), clock.now())
        const { ca, email, externalAccount } = options
        authority = new AcmeAuthority({
          directory,
          store,
          challenges,
          clock,
          ...(ca === undefined ? {} : { ca: await readAuthorities('ca', ca, dir) }),
          ...(email === undefined ? {} : { email }),
          ...(externalAccount === undefined ? {} : { externalAccount })
        })
        const { events } = runtime
        const { random } = Math
        const before = active.get(runtime)
        const inherited = (host: string) => (before?.directory === directory ? before.keeper.inUse(host) : undefined)
        keeper = new Keeper({ name, options, authority, store, attempts, clock, log, events, error, random, inherited })
        await refresh()
        log.info({ directory, hosts: allowed }, 'certificates come from an ACME authority')
        if (!active.has(runtime)) await takeOver()
      },
      async stop() {
        cancel?.()
        if (active.get(runtime)?.keeper === keeper) active.delete(runtime)
        const stopped = keeper?.stop()
        keeper = undefined
        await stopped
        authority?.close()
      }
    }
  }
})

/** What a schema cannot say. Throws `extension.options`. */
const check = ({ directory, staging, termsOfServiceAgreed }: AcmeOptions): void => {
  const refuse = (detail: string, hint?: string): never => {
    throw new RystraError('extension.options', { side: 'server', detail, ...(hint === undefined ? {} : { hint }) })
  }
  if (directory !== undefined && staging) refuse('acme: `staging` and `directory` exclude each other')
  if (!termsOfServiceAgreed) {
    refuse(
      'acme: /termsOfServiceAgreed: the terms of service of the authority are not agreed to',
      'read the terms of the authority, and set `termsOfServiceAgreed: true`'
    )
  }
}

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/acme': Partial<AcmeOptions>
  }
}
