import { type ProxySpec, RystraError } from '@rystra/model'
import type { Registries } from '@rystra/plugin'
import { Backoff } from '@rystra/session'
import type { ClientSession } from './client-session.js'
import type { PublishedHere } from './events.js'
import type { StreamHandler } from './handlers.js'
import { HealthCheck, type HealthOptions } from './health-check.js'
import type { ClientState } from './state.js'

/** Fields of every kind that are the client's own business. */
const ownFields = ['proxyProtocol', 'healthCheck']

/** One proxy that this client wants, whether a session is up or not. */
export interface Wanted {
  readonly spec: ProxySpec
  /** Name of the entry that it came from: a range of ports is several proxies. */
  readonly entry: string
  /** From the configuration, which may come to have it no longer. */
  readonly configured: boolean
  /** The service, if it is within this process. */
  readonly handler: StreamHandler | undefined
  readonly backoff: Backoff
  /** When it expires, in milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  published: PublishedHere | undefined
  /** The port that the server chose: another server, or one that was restarted, does not know it. */
  lastPort: number | undefined
  /** The present registration; resolves when it was answered, one way or the other. */
  asking: Promise<void> | undefined
  error: RystraError | undefined
  cancelRetry: (() => void) | undefined
  /** Looks after the service while it is published. */
  health: HealthCheck | undefined
}

/** A proxy, and the name of the entry that it came from. */
export type Expanded = Pick<Wanted, 'spec' | 'entry'>

/**
 * What the kinds make of entries: a range of ports is several proxies. Throws `proxy.*` when one cannot be, or when two
 * have one name.
 */
export const expand = (entries: readonly ProxySpec[], { proxies }: Registries): Expanded[] => {
  const names = new Set<string>()
  return entries.flatMap((entry) => {
    if (!proxies.has(entry.kind)) {
      throw new RystraError('proxy.unknown-kind', {
        side: 'client',
        detail: `${entry.kind}; registered: ${proxies.list().join(', ')}`
      })
    }
    const specs = proxies.get(entry.kind).expand?.(entry) ?? [entry]
    for (const { name } of specs) {
      if (names.has(name)) throw new RystraError('proxy.name-taken', { side: 'client', detail: name })
      names.add(name)
    }
    return specs.map((spec) => ({ spec, entry: entry.name }))
  })
}

/** What is known of one besides its spec. */
export type WantedOf = Pick<Wanted, 'entry' | 'configured' | 'handler'> & {
  /** @default its `expiresIn` from now on */
  readonly expiresAt?: number | undefined
}

export const wantedOf = (spec: ProxySpec, of: WantedOf, { clock }: ClientState): Wanted => {
  const { entry, configured, handler } = of
  const expiresIn = spec['expiresIn'] as number | undefined
  const expiresAt = expiresIn === undefined ? undefined : clock.now() + expiresIn
  return {
    spec,
    entry,
    configured,
    handler,
    backoff: new Backoff({ min: 1000, max: 30_000 }),
    expiresAt: of.expiresAt ?? expiresAt,
    published: undefined,
    lastPort: undefined,
    asking: undefined,
    error: undefined,
    cancelRetry: undefined,
    health: undefined
  }
}

export const stopHealth = (wanted: Wanted): void => {
  wanted.health?.stop()
  wanted.health = undefined
}

/** Checks the service, if the entry says so, and tells the server. */
export const watchHealth = (wanted: Wanted, session: ClientSession, state: ClientState): void => {
  const { spec, handler } = wanted
  const { name, healthCheck } = spec
  stopHealth(wanted)
  if (healthCheck === undefined) return
  const checked = { spec, handler, session: session.info }
  wanted.health = new HealthCheck(healthCheck as HealthOptions, checked, state.clock, (up, reason) => {
    state.log.info(
      { proxy: name, ...(reason === undefined ? {} : { reason }) },
      up ? 'the service is up' : 'the service is down'
    )
    session.tellHealth(name, up)
  })
  wanted.health.start()
}

/** What the server gets to see of a proxy. */
export const sentOf = ({ spec, expiresAt }: Wanted, { kernel, clock }: ClientState): Record<string, unknown> => {
  const kind = kernel.current.registries.proxies.get(spec.kind)
  const own = new Set([...ownFields, ...(kind.localFields ?? [])])
  const sent: Record<string, unknown> = Object.fromEntries(
    Object.entries(spec).filter(([field, value]) => !own.has(field) && value !== undefined)
  )
  if (spec['healthCheck'] !== undefined) sent['healthCheck'] = true
  if (expiresAt === undefined) return sent
  const left = expiresAt - clock.now()
  if (left <= 0) throw new RystraError('proxy.expired', { side: 'client', detail: spec.name })
  return { ...sent, expiresIn: left }
}
