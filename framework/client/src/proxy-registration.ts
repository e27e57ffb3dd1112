import { type ProxySpec, RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import type { ProxyHandle, ProxyInfo, ProxyState, TrafficStats } from '@rystra/plugin'
import { localFieldsOf } from '@rystra/config'
import { Backoff, StreamTable } from '@rystra/session'
import type { PublishedHere } from './events.js'
import type { StreamHandler } from './stream-handler.js'
import { HealthCheck, type HealthOptions } from './health-check.js'
import { publicAddress } from './public-address.js'
import type { ClientState, ServedProxy } from './state.js'

/** The session that is asked. */
export interface RegistrySession {
  readonly info: SessionInfo
  /** Resolves to the public address; rejects with what the server says. */
  register(sent: ProxySpec, lastPort: number | undefined): Promise<string>
  unregister(name: string): void
  /** Tells the server how the service behind a proxy is. */
  tellHealth(name: string, up: boolean): void
}

/** Where a proxy comes from. */
export interface Origin {
  /** Name of the entry: a range of ports is several proxies. */
  readonly entry: string
  /** From the configuration, which may come to have it no longer. */
  readonly configured: boolean
  /** The service, if it is within this process. */
  readonly handler: StreamHandler | undefined
  /** In milliseconds since the epoch. @default its `expiresIn` from now on */
  readonly expiresAt?: number | undefined
}

/** Where a registration stands. */
type Standing =
  /** There is no session, or the server took it back for good. */
  | { readonly at: 'idle' }
  | { readonly at: 'requested'; readonly session: RegistrySession }
  | { readonly at: 'published'; readonly session: RegistrySession; readonly proxy: PublishedHere }
  /** Refused for now: asked again after a while. */
  | { readonly at: 'waiting'; readonly cancel: () => void }
  | { readonly at: 'refused' }
  | { readonly at: 'removed' }

const idle: Standing = { at: 'idle' }

const states: Readonly<Record<Standing['at'], ProxyState>> = {
  idle: 'idle',
  requested: 'publishing',
  published: 'published',
  waiting: 'waiting',
  refused: 'refused',
  removed: 'idle'
}

/** One proxy that this client wants published, over all sessions. */
export class ProxyRegistration implements ProxyHandle, ServedProxy {
  readonly spec: ProxySpec
  readonly origin: Origin
  readonly streams = new StreamTable()
  /** Resolves when what was asked last is answered, one way or the other. */
  answered: Promise<void> = Promise.resolve()
  /** Why it was refused last; absent once it is published. */
  error: RystraError | undefined
  readonly #state: ClientState
  readonly #forget: () => void
  readonly #backoff = new Backoff({ min: 1000, max: 30_000 })
  readonly #expiresAt: number | undefined
  #standing: Standing = idle
  /** The port that the server chose: another server, or one that was restarted, does not know it. */
  #lastPort: number | undefined
  #health: HealthCheck | undefined
  #healthy = true

  /** @param forget takes it off the list */
  constructor(spec: ProxySpec, origin: Origin, state: ClientState, forget: () => void) {
    this.spec = spec
    this.origin = origin
    this.#state = state
    this.#forget = forget
    const expiresIn = spec['expiresIn'] as number | undefined
    this.#expiresAt = origin.expiresAt ?? (expiresIn === undefined ? undefined : state.clock.now() + expiresIn)
  }

  // What is known of it

  get published(): PublishedHere | undefined {
    return this.#standing.at === 'published' ? this.#standing.proxy : undefined
  }

  /** Whether a registration is in flight, whose answer supersedes what came before. */
  get requested(): boolean {
    return this.#standing.at === 'requested'
  }

  get handler(): StreamHandler | undefined {
    return this.origin.handler
  }

  /** To be registered before others: a free port must not be one that is named. */
  get hasFixedPort(): boolean {
    const { port } = this.spec
    return typeof port === 'number' && port !== 0
  }

  /** To have the same again: it expires when it would have. */
  get again(): Origin {
    return { ...this.origin, expiresAt: this.#expiresAt }
  }

  /** Unique within this client. */
  get id(): string {
    return this.spec.name
  }

  get info(): ProxyInfo {
    const { spec, error } = this
    const standing = this.#standing
    return {
      spec,
      state: states[standing.at],
      ...('session' in standing ? { session: standing.session.info } : {}),
      ...(standing.at === 'published' ? { address: standing.proxy.address } : {}),
      healthy: this.#healthy,
      ...(error === undefined ? {} : { error }),
      origin: this.origin.configured ? 'configuration' : 'program'
    }
  }

  stats(): TrafficStats {
    return this.streams.stats()
  }

  close(error?: RystraError): void {
    this.remove(error)
    this.#forget()
  }

  // What happens

  ask(session: RegistrySession): void {
    const standing: Standing = { at: 'requested', session }
    this.#standing = standing
    this.answered = this.#register(session, () => this.#standing === standing)
  }

  async #register(session: RegistrySession, isLast: () => boolean): Promise<void> {
    const { log, events, config } = this.#state
    const { name, kind } = this.spec
    try {
      const address = await session.register(this.#sent(), this.#lastPort)
      if (!isLast()) return
      this.error = undefined
      this.#backoff.reset()
      if (!this.hasFixedPort) this.#lastPort = portOf(address)
      const proxy = {
        name,
        kind,
        address: publicAddress(address, config.connect.host ?? session.info.peer.address),
        spec: this.spec
      }
      this.#standing = { at: 'published', session, proxy }
      log.info({ proxy: name, kind, address: proxy.address }, 'published')
      events.emit('published', proxy)
      this.#watchHealth(session)
    } catch (cause) {
      if (isLast()) this.#refused(toRystraError(cause), session)
    }
  }

  /** What the server gets to see. */
  #sent(): ProxySpec {
    const { kernel, clock } = this.#state
    const { spec } = this
    const local = localFieldsOf(kernel.current.registries.proxies.get(spec.kind))
    const sent: Record<string, unknown> = Object.fromEntries(
      Object.entries(spec).filter(([field, value]) => !local.has(field) && value !== undefined)
    )
    if (spec['healthCheck'] !== undefined) sent['healthCheck'] = true
    if (this.#expiresAt !== undefined) {
      const left = this.#expiresAt - clock.now()
      if (left <= 0) throw new RystraError('proxy.expired', { side: 'client', detail: spec.name })
      sent['expiresIn'] = left
    }
    return sent as ProxySpec
  }

  /** Tells of a refusal, and asks again later when that may help. */
  #refused(error: RystraError, session: RegistrySession): void {
    const { log, clock, refused } = this.#state
    const { name } = this.spec
    const again = error.retryable ? { retryIn: this.#backoff.next() } : {}
    this.error = error
    this.#standing = { at: 'refused' }
    if (error.code === 'proxy.expired') this.#forget()
    log.warn({ err: error, proxy: name, ...again }, 'a proxy was refused')
    refused({ what: 'proxy', name, error, ...again }, { subject: name, proxy: this.spec, session: session.info })
    if (again.retryIn === undefined) return
    this.#standing = { at: 'waiting', cancel: clock.after(again.retryIn, () => this.ask(session)) }
  }

  /** The server took it back. A server that repeats itself changes nothing. */
  takenBack(error: RystraError | undefined): void {
    if (this.#standing.at !== 'published') return
    const { session } = this.#standing
    this.#unpublish(error)
    if (error?.retryable === true) this.#refused(error, session)
    else if (error?.code === 'proxy.expired') this.#forget()
  }

  #unpublish(error: RystraError | undefined): void {
    if (this.#standing.at !== 'published') return
    const { proxy } = this.#standing
    this.#standing = idle
    this.#stopHealth()
    this.#state.log.info({ proxy: proxy.name, ...(error === undefined ? {} : { err: error }) }, 'no longer published')
    this.#state.events.emit('unpublished', proxy, error)
  }

  /** The session is gone. */
  suspend(): void {
    if (this.#standing.at === 'waiting') this.#standing.cancel()
    this.#stopHealth()
    this.#standing = idle
  }

  /** It is not wanted any more. */
  remove(error?: RystraError): void {
    const before = this.#standing
    if (before.at === 'waiting') before.cancel()
    if (before.at === 'requested' || before.at === 'published') before.session.unregister(this.spec.name)
    this.#unpublish(error)
    this.#standing = { at: 'removed' }
  }

  /** Checks the service, if the entry says so, and tells the server. */
  #watchHealth(session: RegistrySession): void {
    const { spec, handler } = this
    const { name, healthCheck } = spec
    this.#stopHealth()
    if (healthCheck === undefined) return
    const { clock, log } = this.#state
    this.#healthy = false
    const checked = { spec, handler, session: session.info }
    this.#health = new HealthCheck(healthCheck as HealthOptions, checked, clock, (up, reason) => {
      this.#healthy = up
      const why = reason === undefined ? {} : { reason }
      log.info({ proxy: name, ...why }, up ? 'the service is up' : 'the service is down')
      session.tellHealth(name, up)
    })
    this.#health.start()
  }

  #stopHealth(): void {
    this.#health?.stop()
    this.#health = undefined
  }
}

/** The port of an address such as `203.0.113.7:20000`, if it ends with one. */
const portOf = (address: string): number | undefined => {
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1] ?? 0)
  return port >= 1 && port <= 65_535 ? port : undefined
}
