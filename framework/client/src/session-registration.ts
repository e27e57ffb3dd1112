import { type ProxySpec, type RystraError, toRystraError } from '@rystra/model'
import { Backoff } from '@rystra/session'
import type { PublishedHere } from './events.js'
import { publicAddress, serverHost } from './public-address.js'
import { idle, type Standing } from './registration-standing.js'
import type { RegistrySession } from './registry-session.js'
import { portOf } from './sent-spec.js'
import type { ClientState } from './state.js'

/** The proxy that is registered: the same on every session. */
export interface RegisteredProxy {
  readonly spec: ProxySpec
  readonly hasFixedPort: boolean
  /** The port that a server chose: another server, or one that was restarted, does not know it. */
  lastPort: number | undefined
  /** The request of the server that has added it. */
  readonly push: number | undefined
  /** What the server gets to see. Throws `proxy.expired`. */
  sent(): ProxySpec
  onReachable(session: RegistrySession): void
  onRefused(error: RystraError): void
  onGone(session: RegistrySession): void
}

/** One proxy on one session. */
export class SessionRegistration {
  readonly session: RegistrySession
  /** Resolves when what was asked last is answered, one way or the other. */
  answered: Promise<void> = Promise.resolve()
  readonly #proxy: RegisteredProxy
  readonly #state: ClientState
  readonly #backoff = new Backoff({ min: 1000, max: 30_000 })
  #standing: Standing = idle

  constructor(proxy: RegisteredProxy, session: RegistrySession, state: ClientState) {
    this.#proxy = proxy
    this.session = session
    this.#state = state
  }

  get at(): Standing['at'] {
    return this.#standing.at
  }

  get published(): PublishedHere | undefined {
    return this.#standing.at === 'published' ? this.#standing.proxy : undefined
  }

  ask(): void {
    this.#cancelRetry()
    const standing: Standing = { at: 'requested' }
    this.#standing = standing
    this.answered = this.#register(() => this.#standing === standing)
  }

  async #register(isLast: () => boolean): Promise<void> {
    try {
      const { lastPort, push } = this.#proxy
      const address = await this.session.register(this.#proxy.sent(), { lastPort, push })
      if (isLast()) this.reachable(address, false)
    } catch (cause) {
      if (isLast()) this.#refused(toRystraError(cause))
    }
  }

  /**
   * Asks for another spec in its place. Resolves to the address, to the refusal, or to nothing where the registration was
   * gone or asked for anew meanwhile.
   */
  async replace(sent: ProxySpec): Promise<string | RystraError | undefined> {
    const before = this.#standing
    const { lastPort } = this.#proxy
    const outcome = await this.session
      .register(sent, { lastPort, replace: true })
      .catch((cause: unknown) => toRystraError(cause))
    return this.#standing === before ? outcome : undefined
  }

  reachable(address: string, changed: boolean): void {
    const { log, events, config } = this.#state
    const { spec, hasFixedPort } = this.#proxy
    const { name, kind } = spec
    const { info } = this.session
    this.#backoff.reset()
    if (!hasFixedPort) this.#proxy.lastPort = portOf(address)
    const shown = publicAddress(address, this.session.host ?? serverHost(config.connect, info.peer))
    const proxy = { name, kind, address: shown, spec, session: info, ...(changed ? { changed } : {}) }
    this.#standing = { at: 'published', proxy }
    const server = info.server === undefined ? {} : { server: info.server }
    log.info({ proxy: name, kind, address: shown, ...server, ...(changed ? { changed } : {}) }, 'published')
    // Before it is told: a listener may ask for the state of the proxy.
    this.#proxy.onReachable(this.session)
    events.emit('published', proxy)
  }

  /** The server has published it again under another address, after a reload. */
  moved(address: string): void {
    if (this.#standing.at === 'published') this.reachable(address, true)
  }

  /** Tells of a refusal, and asks again later when that may help. */
  #refused(error: RystraError): void {
    this.#standing = { at: 'refused' }
    this.#proxy.onRefused(error)
    const retryIn = this.tell(error, 'a proxy was refused')
    if (retryIn !== undefined)
      this.#standing = { at: 'waiting', cancel: this.#state.clock.after(retryIn, () => this.ask()) }
  }

  /** @returns milliseconds until it is asked again, if it is */
  tell(error: RystraError, what: string): number | undefined {
    const { log, refused } = this.#state
    const { spec } = this.#proxy
    const { name } = spec
    // The server asks again for what it has added.
    const again = error.retryable && this.#proxy.push === undefined ? { retryIn: this.#backoff.next() } : {}
    log.warn({ err: error, proxy: name, ...again }, what)
    refused({ what: 'proxy', name, error, ...again }, { subject: name, proxy: spec, session: this.session.info })
    return again.retryIn
  }

  /** The server took it back. A server that repeats itself changes nothing. */
  takenBack(error: RystraError | undefined): void {
    if (this.#standing.at !== 'published') return
    this.#unpublish(error)
    if (error?.retryable === true && this.#proxy.push === undefined) this.#refused(error)
  }

  #unpublish(error: RystraError | undefined): void {
    if (this.#standing.at !== 'published') return
    const { proxy } = this.#standing
    this.#standing = idle
    this.#proxy.onGone(this.session)
    this.#state.log.info({ proxy: proxy.name, ...(error === undefined ? {} : { err: error }) }, 'no longer published')
    this.#state.events.emit('unpublished', proxy, error)
  }

  /** Asks for it anew, with a gap: for a server that cannot replace, or refused to. */
  restart(): void {
    this.session.unregister(this.#proxy.spec.name)
    this.#unpublish(undefined)
    this.ask()
  }

  /** The session is gone. */
  over(): void {
    this.#cancelRetry()
    this.#standing = idle
  }

  /** It is not wanted any more. */
  remove(error: RystraError | undefined): void {
    this.#cancelRetry()
    const { at } = this.#standing
    if (at === 'requested' || at === 'published') this.session.unregister(this.#proxy.spec.name)
    this.#unpublish(error)
    this.#standing = idle
  }

  #cancelRetry(): void {
    if (this.#standing.at === 'waiting') this.#standing.cancel()
  }
}
