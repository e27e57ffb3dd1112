import { localFieldsOf } from '@rystra/config'
import { type ProxySpec, RystraError } from '@rystra/model'
import type { ClientState } from './state.js'

/**
 * What the server gets to see of a proxy.
 *
 * @param expiresAt In milliseconds since the epoch. Throws `proxy.expired` when it has passed
 */
export const sentSpec = (spec: ProxySpec, expiresAt: number | undefined, state: ClientState): ProxySpec => {
  const { kernel, clock } = state
  const local = localFieldsOf(kernel.current.registries.proxies.get(spec.kind))
  const sent: Record<string, unknown> = Object.fromEntries(
    Object.entries(spec).filter(([field, value]) => !local.has(field) && value !== undefined)
  )
  if (spec['healthCheck'] !== undefined) sent['healthCheck'] = true
  if (expiresAt !== undefined) {
    const left = expiresAt - clock.now()
    if (left <= 0) throw new RystraError('proxy.expired', { side: 'client', detail: spec.name })
    sent['expiresIn'] = left
  }
  return sent as ProxySpec
}

/** The port of an address such as `203.0.113.7:20000`, if it ends with one. */
export const portOf = (address: string): number | undefined => {
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1] ?? 0)
  return port >= 1 && port <= 65_535 ? port : undefined
}
