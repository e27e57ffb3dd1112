import { checkSent } from '@rystra/config'
import { TokenBucket } from '@rystra/limits'
import { background, type Logger, type ProxySpec, RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import type { ProxyKind, Registry, UnregisterProxyContext } from '@rystra/plugin'
import { errorField, type Message, type RegisterProxy } from '@rystra/protocol'
import { lastPortKey } from './last-ports.js'
import type { ProxyOwner } from './owner.js'
import { ServerProxy } from './proxy.js'
import type { PushOrigin, PushSession } from './push-session.js'
import { publicError } from './public-error.js'
import { RequestQueue } from './request-queue.js'
import type { ServerState } from './state.js'

/** Refused registrations of one session; more end it, since a client backs off. */
const REFUSALS_PER_SECOND = 100
const MAX_REFUSALS_AT_ONCE = 2048

/** How a proxy is published. */
interface PublishOptions {
  /** It takes the place of the one of the same name, which serves until it does. */
  readonly replace?: boolean | undefined
  /** The administrator's wish that it fulfils. */
  readonly pushed?: PushOrigin | undefined
}

/** The session whose proxies they are. */
export interface RegisteringSession extends ProxyOwner, PushSession {
  /** Those of a session of the same client that it takes the place of. */
  readonly predecessor: Registrations | undefined
  destroy(error: RystraError): void
}

/** The proxies of one session, and what its client asks about them: one request after the other. */
export class Registrations {
  readonly proxies = new Map<string, ServerProxy>()
  readonly #session: RegisteringSession
  readonly #state: ServerState
  readonly #info: SessionInfo
  readonly #log: Logger
  readonly #queue = new RequestQueue((err) => this.#log.error({ err }, 'a request of the client failed'))
  readonly #refusals: TokenBucket
  /** Published, and being listed for the other servers: their visitors may come before that is done. */
  #listing: ServerProxy | undefined

  constructor(session: RegisteringSession, state: ServerState) {
    this.#session = session
    this.#state = state
    this.#info = session.info
    this.#log = session.log
    this.#refusals = new TokenBucket(REFUSALS_PER_SECOND, MAX_REFUSALS_AT_ONCE, state.clock.now())
  }

  /** Those of a name that other servers may know: the one that is published, and its successor while that is being listed. */
  listed(name: string): ServerProxy[] {
    const published = this.proxies.get(name)
    return [
      ...(published?.announced === true ? [published] : []),
      ...(this.#listing?.spec.name === name ? [this.#listing] : [])
    ]
  }

  /** What the client asks for, in so many bytes. Throws `proxy.limit` when too many requests wait. */
  take(message: Extract<Message, { type: 'RegisterProxy' | 'UnregisterProxy' }>, bytes: number): void {
    this.#queue.push(bytes, async () => {
      if (this.#session.ended) return
      if (message.type === 'RegisterProxy') await this.#register(message)
      else await this.unregister(message.name, 'asked')
    })
  }

  async #register({ request, spec: sent, lastPort, replace, push }: RegisterProxy): Promise<void> {
    try {
      // What this server remembers itself is newer.
      const { lastPorts } = this.#state
      const key = lastPortKey(this.#info, sent.name)
      if (lastPort !== undefined && lastPorts.get(key) === undefined) lastPorts.set(key, lastPort)
      const pushed = push === undefined ? undefined : this.#state.pushes.requested(this.#session, push)
      const proxy = await this.#publish(sent, { replace, pushed })
      this.#session.send({ type: 'RegisterProxyAck', request, address: proxy.address })
    } catch (cause) {
      const error = toRystraError(cause, 'internal')
      if (!this.#refusals.take(1, this.#state.clock.now())) {
        const detail = `more than ${MAX_REFUSALS_AT_ONCE} refused registrations`
        this.#session.destroy(new RystraError('proxy.limit', { side: 'client', detail }))
        return
      }
      this.#log.warn({ err: error, proxy: sent.name }, 'a proxy was refused')
      this.#state.refused({ what: 'proxy', error, subject: String(sent.name), session: this.#info, proxy: sent })
      this.#session.send({ type: 'RegisterProxyAck', request, error: errorField(publicError(error, sent)) })
    }
  }

  async #publish(sent: ProxySpec, { replace = false, pushed }: PublishOptions): Promise<ServerProxy> {
    const { kernel, config } = this.#state
    if (!replace) this.#throwIfFull()
    const { calls, registries } = kernel.current
    const wanted = await calls.registerProxy(sent, this.#info)
    if (this.#session.ended) throw new RystraError('session.lost')
    const kind = kindOf(wanted, registries.proxies)
    const spec = checkSent(kind, wanted)
    const before = this.proxies.get(spec.name)
    if (before === undefined) this.#throwIfFull()
    else if (!replace) throw new RystraError('proxy.name-taken', { side: 'server', detail: spec.name })
    else if (before.same(spec, kind, config.publish)) return before
    const parts = { spec, sent, kind, owner: this.#session, pushed }
    if (before !== undefined) return this.#put(new ServerProxy({ ...parts, before }, this.#state), before)
    const left = this.#session.predecessor?.proxies.get(spec.name)
    const isSame = left?.spec.kind === spec.kind && left.announced
    return this.#put(new ServerProxy({ ...parts, before: isSame ? left : undefined }, this.#state), undefined)
  }

  #throwIfFull(): void {
    const { proxiesPerSession } = this.#state.config.limits
    if (this.proxies.size < proxiesPerSession) return
    throw new RystraError('proxy.limit', { side: 'server', detail: `at most ${proxiesPerSession}` })
  }

  async #put(proxy: ServerProxy, before: ServerProxy | undefined): Promise<ServerProxy> {
    const { kernel, clock, events } = this.#state
    const { spec } = proxy
    const session = this.#info
    if (before === undefined) this.proxies.set(spec.name, proxy)
    try {
      await proxy.publish()
      // What a session of the same client had, which this one takes the place of.
      await this.#session.predecessor?.unregister(spec.name, 'taken-over')
      if (this.#session.ended) throw new RystraError('session.lost')
      if (before !== undefined && this.proxies.get(spec.name) !== before) {
        throw new RystraError('proxy.refused', { side: 'server', detail: `${spec.name} was taken back meanwhile` })
      }
      this.#listing = proxy
      await this.#state.cluster?.list(proxy)
      proxy.throwIfClosed()
    } catch (error) {
      this.#listing = undefined
      if (before === undefined) this.proxies.delete(spec.name)
      await proxy.withdraw()
      if (before === undefined) this.#state.cluster?.unlist(proxy.id)
      throw error
    }
    // In one turn: from here on it is there for whatever takes it back.
    this.proxies.set(spec.name, proxy)
    this.#listing = undefined
    if (typeof spec.expiresIn === 'number') {
      proxy.cancelExpiry = clock.after(spec.expiresIn, () => {
        this.takeBack(spec.name, 'expired', new RystraError('proxy.expired', { side: 'server' }))
        proxy.pushed?.close()
      })
    }
    proxy.announced = true
    this.#state.cluster?.announced(proxy)
    const changed = before === undefined ? {} : { changed: true }
    const { address } = proxy
    this.#log.info({ proxy: spec.name, kind: spec.kind, address, ...changed }, 'published')
    kernel.current.calls.published({ session, proxy: spec, address, ...changed })
    events.emit('published', { spec, session, address, ...changed })
    await before?.withdraw()
    proxy.throwIfClosed()
    return proxy
  }

  /**
   * After a reload: takes back what is no longer allowed, and publishes again what would be published differently now,
   * without a gap.
   *
   * @param asks Whether hooks are asked about all of them, as extensions have changed
   */
  renew(asks: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const renewAll = async (): Promise<void> => {
        for (const proxy of [...this.proxies.values()]) await this.#renew(proxy, asks)
      }
      this.#queue.push(0, () => renewAll().then(resolve, reject))
    })
  }

  async #renew(proxy: ServerProxy, asks: boolean): Promise<void> {
    const { kernel, config } = this.#state
    const { name } = proxy.spec
    if (this.#session.ended || this.proxies.get(name) !== proxy) return
    const problem = proxy.review(kernel.current.registries.proxies, config.publish)
    if (problem === undefined && !asks) return
    try {
      if (problem !== undefined && problem.code !== 'proxy.changed') throw problem
      const { address } = await this.#publish(proxy.sent, { replace: true, pushed: proxy.pushed })
      if (address !== proxy.address) this.#session.send({ type: 'ProxyAddress', name, address })
    } catch (cause) {
      const error = toRystraError(cause)
      this.#log.warn({ err: error, proxy: name }, 'a proxy is taken back after a reload')
      this.takeBack(name, 'reload', error)
    }
  }

  /** Takes a proxy back and tells the client why. */
  takeBack(name: string, reason: UnregisterProxyContext['reason'], error: RystraError): void {
    const proxy = this.proxies.get(name)
    if (proxy === undefined) return
    this.#session.send({ type: 'UnregisterProxy', name, error: errorField(publicError(error, proxy.sent)) })
    background(this.unregister(name, reason, error), this.#log, 'a proxy was not taken back cleanly')
  }

  /** Takes a proxy back; streams that are open go on. */
  async unregister(name: string, reason: UnregisterProxyContext['reason'], error?: RystraError): Promise<void> {
    const proxy = this.proxies.get(name)
    if (proxy === undefined) return
    this.proxies.delete(name)
    await proxy.withdraw(error)
    this.#state.cluster?.unlist(proxy.id)
    // One that is still being published is refused by that.
    if (!proxy.announced) return
    this.#log.info({ proxy: name, reason }, 'no longer published')
    const { kernel, events } = this.#state
    const session = this.#info
    kernel.current.calls.unregisterProxy({ session, proxy: proxy.spec, reason })
    events.emit('unpublished', { spec: proxy.spec, session, address: proxy.address }, reason)
  }

  async unregisterAll(reason: UnregisterProxyContext['reason']): Promise<void> {
    await Promise.all([...this.proxies.keys()].map((name) => this.unregister(name, reason)))
  }
}

/** Throws `proxy.unknown-kind`. */
const kindOf = ({ kind }: ProxySpec, kinds: Registry<ProxyKind>): ProxyKind => {
  if (kinds.has(kind)) return kinds.get(kind)
  const detail = `${kind}; registered: ${kinds.list().join(', ')}`
  throw new RystraError('proxy.unknown-kind', { side: 'server', detail })
}
