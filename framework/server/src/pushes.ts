import { resolveProxy } from '@rystra/config'
import type { Kernel } from '@rystra/kernel'
import { background, isPrintable, type Logger, type ProxySpec, RystraError, toRystraError } from '@rystra/model'
import type { AddProxyOptions, Clock, ProxyHandle, StateFolder } from '@rystra/plugin'
import { MAX_ID, PUSH, type PushProxyAck } from '@rystra/protocol'
import { PushRequests } from './push-requests.js'
import type { PushSession } from './push-session.js'
import { PushStore } from './push-store.js'
import { ownerOf, PushedProxy, type PushOwner } from './pushed-proxy.js'

/** What pushes need of a server. */
export interface PushHost {
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
  /** Files that outlast the process. */
  readonly files: StateFolder
  /** `server.cluster.name` */
  readonly member?: string | undefined
}

const keyOf = ({ identity, client }: PushOwner): string => JSON.stringify([identity, client])

/** Proxies that administrators have added for clients, as far as those accept them. */
export class Pushes {
  readonly #host: PushHost
  readonly #requests: PushRequests
  readonly #store: PushStore
  /** By client, then by name. */
  readonly #clients = new Map<string, Map<string, PushedProxy>>()

  constructor(host: PushHost) {
    this.#host = host
    this.#requests = new PushRequests(host.clock)
    this.#store = new PushStore(host.files, host.log, host.member)
  }

  /** Reads what is kept over restarts. */
  async start(): Promise<void> {
    const now = this.#host.clock.now()
    for (const record of await this.#store.read()) {
      if ((record.expiresAt ?? now + 1) > now) this.#put(new PushedProxy(record, this))
    }
  }

  /** Those of which nothing is published. */
  *waiting(): Iterable<ProxyHandle> {
    for (const pushed of this.#all()) if (pushed.proxies.length === 0) yield pushed
  }

  /** By the id that it has while nothing of it is published. */
  find(id: string): PushedProxy | undefined {
    for (const pushed of this.#all()) if (pushed.id === id) return pushed
    return undefined
  }

  /** What a client registers for a request. */
  requested(session: PushSession, request: number): PushedProxy | undefined {
    return this.#requests.find(session, request)
  }

  answered(session: PushSession, answer: Omit<PushProxyAck, 'type'>): void {
    this.#requests.answered(session, answer)
  }

  *#all(): Iterable<PushedProxy> {
    for (const one of this.#clients.values()) yield* one.values()
  }

  #put(pushed: PushedProxy): void {
    const key = keyOf(pushed.record.owner)
    const known = this.#clients.get(key) ?? new Map<string, PushedProxy>()
    this.#clients.set(key, known.set(pushed.record.spec.name, pushed))
  }

  #forget(pushed: PushedProxy): void {
    const { owner, spec } = pushed.record
    const key = keyOf(owner)
    const known = this.#clients.get(key)
    pushed.removed = true
    pushed.stand({ at: 'idle' })
    if (known?.get(spec.name) === pushed) known.delete(spec.name)
    if (known?.size === 0) this.#clients.delete(key)
  }

  #save(): Promise<void> {
    return this.#store.write(() => [...this.#all()].map(({ record }) => record).filter(({ persist }) => persist))
  }

  /** Adds one for the client of a session. Rejects with `proxy.*`, `control.unavailable` or `extension.state`. */
  async add(session: PushSession, spec: ProxySpec, { persist = false, by }: AddProxyOptions): Promise<ProxyHandle> {
    if (!session.features.includes(PUSH)) {
      const { id, agent } = session.info.client
      const detail = `client ${id} (${agent}) does not support proxies from its server`
      throw new RystraError('control.unavailable', { side: 'client', detail, hint: 'update that client' })
    }
    if (by !== undefined && (by === '' || by.length > MAX_ID || !isPrintable(by))) throw invalidCaller()
    const { expiresIn } = resolveProxy(spec, this.#host.kernel.current.registries)
    const owner = ownerOf(session.info)
    if (this.#clients.get(keyOf(owner))?.has(spec.name) === true) {
      throw new RystraError('proxy.name-taken', { side: 'server', detail: `${spec.name}: it was added before` })
    }
    const expiresAt = typeof expiresIn === 'number' ? this.#host.clock.now() + expiresIn : undefined
    const pushed = new PushedProxy({ owner, spec, by, persist, expiresAt }, this)
    pushed.session = session
    this.#put(pushed)
    try {
      const handle = await this.#push(session, pushed)
      if (persist) await this.#save()
      session.log.info({ proxy: spec.name, kind: spec.kind, persist, ...(by === undefined ? {} : { by }) }, 'added')
      return handle
    } catch (error) {
      this.#forget(pushed)
      this.#takeBack(pushed)
      throw error
    }
  }

  async #push(session: PushSession, pushed: PushedProxy): Promise<ProxyHandle> {
    pushed.stand({ at: 'publishing' })
    await this.#requests.ask(session, pushed)
    const { name } = pushed.record.spec
    if (pushed.removed)
      throw new RystraError('proxy.refused', { side: 'server', detail: `${name} was removed meanwhile` })
    pushed.stand({ at: 'idle' })
    const [first] = pushed.proxies
    if (first !== undefined) return first
    throw new RystraError('proxy.refused', { side: 'client', detail: `${name} was acknowledged, and not registered` })
  }

  /** A session is up: its client gets what was added for it. */
  connected(session: PushSession): void {
    for (const pushed of this.#clients.get(keyOf(ownerOf(session.info)))?.values() ?? []) {
      if (!pushed.record.persist) continue
      pushed.session = session
      pushed.backoff.reset()
      this.#retry(session, pushed)
    }
  }

  /** After a reload, which may allow what was refused. */
  renew(): void {
    for (const pushed of this.#all()) {
      const { session, state } = pushed
      if (session !== undefined && state !== 'publishing' && pushed.proxies.length === 0) this.#retry(session, pushed)
    }
  }

  #retry(session: PushSession, pushed: PushedProxy): void {
    background(this.#again(session, pushed), this.#host.log, 'a proxy was not added again')
  }

  /** Refused for now, it is pushed again after a while. */
  async #again(session: PushSession, pushed: PushedProxy): Promise<void> {
    if (pushed.session !== session || session.ended) return
    const { clock, log } = this.#host
    const { spec, expiresAt } = pushed.record
    if (expiresAt !== undefined && expiresAt <= clock.now()) {
      this.drop(pushed)
      return
    }
    try {
      if (!session.features.includes(PUSH)) throw new RystraError('control.unavailable', { side: 'client' })
      await this.#push(session, pushed)
      pushed.backoff.reset()
    } catch (cause) {
      const error = toRystraError(cause)
      if (pushed.removed) this.#takeBack(pushed)
      if (pushed.removed || pushed.session !== session || session.ended) return
      log.warn({ err: error, proxy: spec.name, ...pushed.record.owner }, 'a proxy that was added is not published')
      if (!error.retryable) pushed.stand({ at: 'refused', error })
      else {
        const cancel = clock.after(pushed.backoff.next(), () => this.#retry(session, pushed))
        pushed.stand({ at: 'waiting', error, cancel })
      }
    }
  }

  /** A session is over: what does not outlast it is forgotten. */
  closed(session: PushSession): void {
    this.#requests.end(session)
    for (const pushed of [...(this.#clients.get(keyOf(ownerOf(session.info)))?.values() ?? [])]) {
      if (pushed.session !== session) continue
      pushed.session = undefined
      pushed.stand({ at: 'idle' })
      if (!pushed.record.persist) this.#forget(pushed)
    }
  }

  /** Takes it back and forgets it. Rejects with `extension.state` when that cannot be kept. */
  async remove(pushed: PushedProxy): Promise<void> {
    if (pushed.removed) return
    this.#forget(pushed)
    this.#takeBack(pushed)
    if (pushed.record.persist) await this.#save()
  }

  /** The same; what fails is logged. */
  drop(pushed: PushedProxy): void {
    const { log } = this.#host
    this.remove(pushed).catch((err: unknown) => log.error({ err, proxy: pushed.id }, 'a removal was not kept'))
  }

  #takeBack(pushed: PushedProxy): void {
    const { session } = pushed
    const error = new RystraError('proxy.refused', { side: 'server', detail: 'taken back by the server' })
    for (const { spec } of pushed.proxies) session?.takeBack(spec.name, 'closed', error)
  }
}

const invalidCaller = (): RystraError =>
  new RystraError('usage.invalid', { side: 'server', detail: `by: expected 1 to ${MAX_ID} printable characters` })
