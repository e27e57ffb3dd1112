import { defineExtension, type ProxyKind } from '@rystra/plugin'
import { DatagramMetrics } from '@rystra/udp'
import path from 'node:path'
import { checkProxy, checkSecret } from './check.js'
import { Owner } from './owner.js'
import { publishPrivate } from './publish.js'
import { Secret } from './secret.js'
import { fullName, PrivateSpec, ForwardSpec } from './spec.js'
import { visitByTcp } from './visit.js'
import { visitByUdp } from './visit-udp.js'

/** Services without a public address: other clients of the server forward a local port to them. */
export default defineExtension({
  name: 'proxy-private',
  setup({ registries, dir, clock, log, metrics }) {
    const datagrams = new DatagramMetrics(metrics)
    const absolute = (file: string | undefined): string | undefined =>
      file === undefined ? undefined : path.resolve(dir, file)
    /** By entry, which is the same object while it is published. */
    const owners = new WeakMap<PrivateSpec, Owner>()

    const kind: ProxyKind<PrivateSpec, ForwardSpec> = {
      kind: 'private',
      spec: PrivateSpec,
      localFields: ['local', 'secret', 'secretFile', 'sessionTimeout', 'maxSessions'],
      forward: ForwardSpec,

      expand(spec) {
        checkProxy(spec, absolute(spec.secretFile))
        return [spec]
      },

      publish: publishPrivate,

      reach(spec, host) {
        const known = owners.get(spec)
        const owner = known ?? new Owner(spec, absolute(spec.secretFile), { clock, log, metrics: datagrams })
        if (known === undefined) owners.set(spec, owner)
        return owner.reach(host)
      },

      async visit(entry, host) {
        checkSecret(entry)
        const { secret } = entry
        const secretFile = absolute(entry.secretFile)
        const open = secret === undefined && secretFile === undefined
        const key = open ? undefined : new Secret({ secret, secretFile }, fullName(entry), clock, host.log)
        // Before the port is open: errors of the secret are reported at once.
        await key?.key
        return entry.protocol === 'udp'
          ? visitByUdp(entry, key, host, { clock, metrics: datagrams })
          : visitByTcp(entry, key, host)
      }
    }
    registries.proxies.add(kind)
    return { stop: () => datagrams.close() }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/proxy-private': Record<never, never>
  }
}
