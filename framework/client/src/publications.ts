import { type ProxySpec, RystraError, toRystraError } from '@rystra/model'
import type { Registries } from '@rystra/plugin'
import { Backoff } from '@rystra/session'
import type { ClientSession } from './client-session.js'
import type { PublishedHere } from './events.js'
import { HealthCheck, type HealthOptions } from './health-check.js'
import { publicAddress } from './public-address.js'
import type { ClientState } from './state.js'

/** Fields of every kind that are the client's own business. */
const ownFields = ['proxyProtocol', 'healthCheck']

/** One proxy that this client wants, whether a session is up or not. */
interface Wanted {
  readonly spec: ProxySpec
  readonly backoff: Backoff
  /** When it expires, in milliseconds since the epoch. */
  readonly expiresAt: number | undefined
  published: PublishedHere | undefined
  /** The present registration; resolves when it was answered, one way or the other. */
  asking: Promise<void> | undefined
  error: RystraError | undefined
  cancelRetry: (() => void) | undefined
  /** Looks after the service while it is published. */
  health: HealthCheck | undefined
}

/**
 * What the kinds make of entries: a range of ports is several proxies. Throws `proxy.*` when one cannot be, or when two
 * have one name.
 */
export const expand = (entries: readonly ProxySpec[], { proxies }: Registries): ProxySpec[] => {
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
    return specs
  })
}

const stopHealth = (wanted: Wanted): void => {
  wanted.health?.stop()
  wanted.health = undefined
}

/** What this client wants published, and what of it is. Survives sessions: each new one is asked for all of it. */
export class Publications {
  readonly #state: ClientState
  readonly #wanted = new Map<string, Wanted>()
  #session: ClientSession | undefined

  constructor(state: ClientState) {
    this.#state = state
  }

  list(): PublishedHere[] {
    return [...this.#wanted.values()].flatMap(({ published }) => published ?? [])
  }

  /** Wants a proxy, or the several that its kind makes of it. Throws `proxy.*` when that cannot be. */
  want(entry: ProxySpec): Wanted[] {
    const specs = expand([entry], this.#state.kernel.current.registries)
    const taken = specs.find(({ name }) => this.#wanted.has(name))
    if (taken !== undefined) throw new RystraError('proxy.name-taken', { side: 'client', detail: taken.name })
    return specs.map((spec) => this.#want(spec))
  }

  #want(spec: ProxySpec): Wanted {
    const expiresIn = spec['expiresIn'] as number | undefined
    const wanted: Wanted = {
      spec,
      backoff: new Backoff({ min: 1000, max: 30_000 }),
      expiresAt: expiresIn === undefined ? undefined : this.#state.clock.now() + expiresIn,
      published: undefined,
      asking: undefined,
      error: undefined,
      cancelRetry: undefined,
      health: undefined
    }
    this.#wanted.set(spec.name, wanted)
    return wanted
  }

  /** Wants it, asks for it if a session is up, and resolves to what came of it. */
  async add(entry: ProxySpec): Promise<PublishedHere[]> {
    const added = this.want(entry)
    for (const wanted of added) this.#ask(wanted)
    await Promise.all(added.map(({ asking }) => asking))
    const failed = added.find(({ error }) => error !== undefined && !error.retryable)
    if (failed?.error !== undefined) {
      for (const { spec } of added) this.remove(spec.name)
      throw failed.error
    }
    return added.flatMap(({ published }) => published ?? [])
  }

  remove(name: string): void {
    const wanted = this.#wanted.get(name)
    if (wanted === undefined) return
    this.#wanted.delete(name)
    wanted.cancelRetry?.()
    this.#session?.unregister(name)
    this.#gone(wanted, undefined)
  }

  /** Wants these and no others, see {@link expand}. What is the same stays as it is. */
  replace(specs: readonly ProxySpec[]): void {
    const next = new Map(specs.map((spec) => [spec.name, JSON.stringify(spec)]))
    for (const [name, { spec }] of this.#wanted) if (next.get(name) !== JSON.stringify(spec)) this.remove(name)
    for (const spec of specs) if (!this.#wanted.has(spec.name)) this.#ask(this.#want(spec))
  }

  /** A session is up: asks for all. */
  offer(session: ClientSession): void {
    this.#session = session
    for (const wanted of this.#wanted.values()) this.#ask(wanted)
  }

  /** Resolves when everything that was asked for is answered. */
  async answered(): Promise<void> {
    await Promise.all([...this.#wanted.values()].map(({ asking }) => asking))
  }

  /** The session is gone: nothing is published until there is another. */
  suspend(): void {
    this.#session = undefined
    for (const wanted of this.#wanted.values()) {
      wanted.cancelRetry?.()
      wanted.cancelRetry = undefined
      wanted.published = undefined
      stopHealth(wanted)
    }
  }

  /** Asks for nothing any more. */
  stop(): void {
    this.#session = undefined
    for (const wanted of this.#wanted.values()) {
      wanted.cancelRetry?.()
      stopHealth(wanted)
    }
  }

  /** The server took one back. */
  takenBack(name: string, error: RystraError | undefined): void {
    const wanted = this.#wanted.get(name)
    // While it waits to be asked for again there is nothing to take back: a server that repeats itself changes nothing.
    if (wanted === undefined || wanted.cancelRetry !== undefined) return
    this.#gone(wanted, error)
    if (error?.retryable === true) this.#retry(wanted, error)
    else if (error?.code === 'proxy.expired') this.#wanted.delete(name)
  }

  #gone(wanted: Wanted, error: RystraError | undefined): void {
    const { published } = wanted
    wanted.published = undefined
    stopHealth(wanted)
    if (published === undefined) return
    this.#state.log.info(
      { proxy: published.name, ...(error === undefined ? {} : { err: error }) },
      'no longer published'
    )
    this.#state.events.emit('unpublished', published, error)
  }

  #ask(wanted: Wanted): void {
    const session = this.#session
    if (session === undefined) return
    wanted.asking = this.#register(wanted, session)
  }

  async #register(wanted: Wanted, session: ClientSession): Promise<void> {
    const { spec } = wanted
    const { log, events, config } = this.#state
    try {
      const address = await session.register(spec, this.#sent(wanted))
      if (this.#session !== session || this.#wanted.get(spec.name) !== wanted) return
      wanted.error = undefined
      wanted.backoff.reset()
      wanted.published = {
        name: spec.name,
        kind: spec.kind,
        address: publicAddress(address, config.connect.host),
        spec
      }
      log.info({ proxy: spec.name, kind: spec.kind, address: wanted.published.address }, 'published')
      events.emit('published', wanted.published)
      this.#watch(wanted, session)
    } catch (cause) {
      if (this.#session !== session || this.#wanted.get(spec.name) !== wanted) return
      const error = toRystraError(cause)
      session.specs.delete(spec.name)
      wanted.error = error
      if (error.code === 'proxy.expired') this.#wanted.delete(spec.name)
      this.#retry(wanted, error)
    }
  }

  /** Checks the service, if the entry says so, and tells the server. */
  #watch(wanted: Wanted, session: ClientSession): void {
    const { name, healthCheck, local } = wanted.spec
    stopHealth(wanted)
    if (healthCheck === undefined) return
    const { clock, log } = this.#state
    wanted.health = new HealthCheck(healthCheck as HealthOptions, String(local), clock, (up, reason) => {
      log.info(
        { proxy: name, ...(reason === undefined ? {} : { reason }) },
        up ? 'the service is up' : 'the service is down'
      )
      session.tellHealth(name, up)
    })
    wanted.health.start()
  }

  /** Tells of a refusal, and asks again later when that may help. */
  #retry(wanted: Wanted, error: RystraError): void {
    const { log, clock, refused } = this.#state
    const { name } = wanted.spec
    const session = this.#session
    const retryIn = error.retryable ? wanted.backoff.next() : undefined
    log.warn({ err: error, proxy: name, ...(retryIn === undefined ? {} : { retryIn }) }, 'a proxy was refused')
    refused(
      { what: 'proxy', name, error, ...(retryIn === undefined ? {} : { retryIn }) },
      { who: name, proxy: wanted.spec, ...(session === undefined ? {} : { session: session.info }) }
    )
    if (retryIn === undefined) return
    wanted.cancelRetry = clock.after(retryIn, () => {
      wanted.cancelRetry = undefined
      this.#ask(wanted)
    })
  }

  /** What the server gets to see of a proxy. */
  #sent({ spec, expiresAt }: Wanted): Record<string, unknown> {
    const kind = this.#state.kernel.current.registries.proxies.get(spec.kind)
    const own = new Set([...ownFields, ...(kind.localFields ?? [])])
    const sent: Record<string, unknown> = Object.fromEntries(
      Object.entries(spec).filter(([field, value]) => !own.has(field) && value !== undefined)
    )
    if (spec['healthCheck'] !== undefined) sent['healthCheck'] = true
    if (expiresAt === undefined) return sent
    const left = expiresAt - this.#state.clock.now()
    if (left <= 0) throw new RystraError('proxy.expired', { side: 'client', detail: spec.name })
    return { ...sent, expiresIn: left }
  }
}
