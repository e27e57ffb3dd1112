import { rawOf } from '@rystra/bytes'
import { background, type ProxySpec, RystraError, toRystraError } from '@rystra/model'
import type { ProxyKind, Published, VisitHost } from '@rystra/plugin'
import { Backoff } from '@rystra/session'
import type { ClientSession } from './client-session.js'
import type { ForwardHere } from './events.js'
import type { ClientState } from './state.js'
import { VisitStreams } from './visit-streams.js'

interface Entry {
  readonly spec: ProxySpec
  /** From the configuration, which may come to have it no longer. */
  readonly configured: boolean
  readonly gone: AbortController
  /** Called when a session is up, and when the entry is taken back. */
  readonly waiting: Set<() => void>
  readonly backoff: Backoff
  kind: ProxyKind | undefined
  visiting: Published | undefined
  opening: Promise<void>
  cancelRetry: (() => void) | undefined
}

/** Local addresses that lead to proxies of other clients: entries of `client.forwards`. They outlive sessions. */
export class Forwards {
  readonly #state: ClientState
  readonly #entries = new Map<string, Entry>()
  readonly #visits: VisitStreams
  #stopped = false

  constructor(state: ClientState) {
    this.#state = state
    this.#visits = new VisitStreams(state)
  }

  /** A session is up: visits may go through it. */
  attach(session: ClientSession): void {
    this.#visits.sessions.add(session)
    for (const { waiting } of this.#entries.values()) for (const wake of [...waiting]) wake()
  }

  /** The session is gone; its streams end by themselves. */
  detach(session: ClientSession): void {
    this.#visits.sessions.delete(session)
  }

  list(): ForwardHere[] {
    return [...this.#entries.values()].flatMap(({ spec, visiting }) =>
      visiting === undefined ? [] : [{ name: spec.name, address: visiting.address }]
    )
  }

  /** Opens these. Rejects with `proxy.*` or `listen.*` for the first that cannot be. */
  async open(specs: readonly ProxySpec[]): Promise<void> {
    await Promise.all(specs.map((spec) => this.#add(this.#enter(spec, true))))
  }

  /** Throws `proxy.name-taken` when the configuration may not have these, because code has. */
  check(specs: readonly { readonly name: string }[]): void {
    const taken = specs.find(({ name }) => this.#entries.get(name)?.configured === false)
    if (taken !== undefined) throw new RystraError('proxy.name-taken', { side: 'client', detail: taken.name })
  }

  /**
   * Opens these of the configuration and closes its others; what is the same stays, and so does what code has opened. What
   * cannot be opened is told of, and tried again where that may help.
   */
  async replace(specs: readonly ProxySpec[]): Promise<void> {
    const next = new Map(specs.map((spec) => [spec.name, JSON.stringify(spec)]))
    const { proxies } = this.#state.kernel.current.registries
    const stays = ({ spec, kind }: Entry): boolean =>
      next.get(spec.name) === JSON.stringify(spec) &&
      (kind === undefined || (proxies.has(spec.kind) && proxies.get(spec.kind) === kind))
    const gone = [...this.#entries].filter(([, entry]) => entry.configured && !stays(entry))
    await Promise.all(gone.map(([name]) => this.remove(name)))
    if (this.#stopped) return
    const fresh = specs.filter(({ name }) => !this.#entries.has(name))
    await Promise.all(fresh.map((spec) => this.#try(this.#enter(spec, true))))
  }

  /** Opens one more. Rejects with `proxy.*` or `listen.*`, or with `session.closing` when the client was stopped. */
  async add(spec: ProxySpec): Promise<ForwardHere> {
    return this.#add(this.#enter(spec, false))
  }

  async #add(entry: Entry): Promise<ForwardHere> {
    const { name } = entry.spec
    try {
      return await this.#open(entry)
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#entries.delete(name)
      entry.gone.abort()
      throw error
    }
  }

  #enter(spec: ProxySpec, configured: boolean): Entry {
    if (this.#stopped) throw new RystraError('session.closing', { side: 'client', detail: 'the client was stopped' })
    if (this.#entries.has(spec.name)) {
      throw new RystraError('proxy.name-taken', { side: 'client', detail: spec.name })
    }
    const entry: Entry = {
      spec,
      configured,
      gone: new AbortController(),
      waiting: new Set(),
      backoff: new Backoff({ min: 1000, max: 30_000 }),
      kind: undefined,
      visiting: undefined,
      opening: Promise.resolve(),
      cancelRetry: undefined
    }
    this.#entries.set(spec.name, entry)
    return entry
  }

  async #try(entry: Entry): Promise<void> {
    const { spec, gone, backoff } = entry
    const { log, clock, events } = this.#state
    entry.cancelRetry = undefined
    try {
      await this.#open(entry)
    } catch (cause) {
      if (gone.signal.aborted) return
      const error = toRystraError(cause)
      const retryIn = error.retryable ? backoff.next() : undefined
      const again = retryIn === undefined ? {} : { retryIn }
      log.warn({ err: error, forward: spec.name, ...again }, 'a forward could not be opened')
      events.emit('refused', { what: 'forward', name: spec.name, error, ...again })
      if (retryIn === undefined) return
      const tryAgain = (): void => background(this.#try(entry), log, 'a forward was not tried again')
      entry.cancelRetry = clock.after(retryIn, tryAgain)
    }
  }

  async #open(entry: Entry): Promise<ForwardHere> {
    const opening = this.#visit(entry)
    entry.opening = opening.then(
      () => {},
      () => {}
    )
    const address = await opening
    const { name } = entry.spec
    this.#state.log.info({ forward: name, address }, 'visiting')
    this.#state.events.emit('visiting', { name, address })
    return { name, address }
  }

  async #visit(entry: Entry): Promise<string> {
    const { spec, gone } = entry
    const { proxies } = this.#state.kernel.current.registries
    const kind = proxies.has(spec.kind) ? proxies.get(spec.kind) : undefined
    if (kind?.visit === undefined) {
      throw new RystraError('proxy.unknown-kind', { side: 'client', detail: `${spec.kind} cannot be visited` })
    }
    const log = this.#state.log.child({ forward: spec.name })
    const visits = this.#visits
    const host: VisitHost = {
      log,
      signal: gone.signal,
      get session() {
        return visits.living[0]?.info
      },
      up: (ms) => this.#up(entry, ms),
      relay: (visitor, of, from, details) => {
        const raw = rawOf(visitor)
        visits.open({ spec, of, from, details, log }, raw).then(
          (stream) => stream.join(raw),
          () => raw.reset()
        )
      },
      openStream: (of, from, { details, ...options } = {}) =>
        visits.openStream({ spec, of, from, details, log }, options)
    }
    entry.kind = kind
    const visiting = await kind.visit(spec, host)
    if (gone.signal.aborted) {
      await visiting.close?.()
      throw new RystraError('session.closing', { side: 'client' })
    }
    entry.visiting = visiting
    return visiting.address
  }

  /** Closes one, if there. Streams that are open go on. */
  async remove(name: string): Promise<void> {
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    entry.gone.abort()
    entry.cancelRetry?.()
    for (const wake of [...entry.waiting]) wake()
    await entry.opening
    try {
      await entry.visiting?.close?.()
    } catch (error) {
      this.#state.log.warn({ err: error, forward: name }, 'a forward could not be closed')
    }
  }

  /** Closes all, and opens none any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#entries.keys()].map((name) => this.remove(name)))
  }

  /** See `VisitHost.up`. */
  #up(entry: Entry, ms: number): Promise<void> {
    if (this.#visits.sessions.size > 0 || entry.gone.signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        entry.waiting.delete(wake)
        resolve()
      }
      const cancel = this.#state.clock.after(ms, wake)
      entry.waiting.add(wake)
    })
  }
}
