import { defineExtension, GUARD, OBSERVE, type RuntimeCluster } from '@rystra/plugin'
import { Guard } from './guard.js'
import { aclOptions } from './options.js'
import { Policy } from './policy.js'
import { Usage } from './usage.js'

export type { AclOptions, QuotaOptions, RuleOptions } from './options.js'

/** Usage survives reloads: one per server, keyed by what all its generations share. */
const usages = new WeakMap<object, Usage>()

const usageOf = (
  server: object,
  { cluster, time }: { cluster: () => RuntimeCluster | undefined; time: () => number }
): Usage => {
  const known = usages.get(server)
  if (known !== undefined) return known
  const made = new Usage(cluster, time)
  usages.set(server, made)
  return made
}

/** Restricts what identities and tenants may publish, who may visit it, and how much. For servers. */
export default defineExtension({
  name: 'hook-acl',
  options: aclOptions,
  setup({ hooks, registries, name, options, role, clock, log, ports, runtime }) {
    const policy = new Policy(options)
    if (role === 'client') {
      log.warn('no effect on a client: rules apply at the server')
      return
    }
    const guard = new Guard(policy, usageOf(ports, { cluster: () => runtime.cluster, time: () => clock.now() }), clock)

    registries.visitChecks.add({ name, check: (visit) => guard.check(visit) })

    // Waits where other servers of a cluster have to be asked; what is counted is counted in one turn, by the taps after it.
    hooks.onRegisterProxy.tapPromise({ stage: OBSERVE }, async (_spec, context) => {
      await guard.prepareProxy(context)
      return undefined
    })
    hooks.onOpenStream.tapPromise(
      { stage: GUARD, concerns: (stream) => runtime.cluster !== undefined && guard.meters(stream) },
      (stream) => guard.prepareStream(stream)
    )

    // Runs after taps that change a spec.
    hooks.onRegisterProxy.tap({ stage: OBSERVE }, (spec, context) => guard.register(spec, context))
    hooks.onPublished.tap(({ session, proxy }) => guard.published(session, proxy))
    hooks.onUnregisterProxy.tap(({ session, proxy }) => guard.gone(session, proxy))
    hooks.onRefused.tap(({ what, session, proxy }) => {
      if (what === 'proxy' && session !== undefined && proxy !== undefined) guard.refused(session, proxy)
    })

    const concerns = guard.concerns.bind(guard)
    hooks.onOpenStream.tap({ stage: GUARD, concerns }, (stream) => guard.open(stream))
    hooks.onCloseStream.tap((stream) => guard.close(stream))
    const named = [options, ...options.rules].some(
      (one) => one.denyVisitors !== undefined && one.denyVisitors.length > 0
    )
    if (named || options.rules.some(({ visitors }) => visitors !== undefined))
      hooks.onRequest.tap({ stage: GUARD }, (request) => guard.request(request))
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/hook-acl': Partial<import('./options.js').AclOptions>
  }
}
