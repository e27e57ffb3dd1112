import { isHost } from '@rystra/address'
import type { RystraConfig } from '@rystra/config'
import { type ControlledEnd, type HandOver, probeExtensions, type Rehearsal } from '@rystra/control'
import { background, type Address, type ProxySpec, RystraError } from '@rystra/model'
import type { AddProxyOptions, PlanItem, ProxyHandle, ReloadContext } from '@rystra/plugin'
import { returned, type SharedPorts } from '@rystra/net'
import { drained, orElse } from '@rystra/session'
import type { Acceptor } from './acceptor.js'
import type { Listeners } from './listeners.js'
import type { OpenListener } from './open-listener.js'
import { probeListeners } from './probe-listeners.js'
import { baseOf, checkedWith, type ServerOptions, type ServerSide, throwIfHalf, usesOf } from './options.js'
import type { ServerSession } from './server-session.js'
import type { ServerState } from './state.js'
import { publishedNames } from './published-names.js'
import { touchedBy } from './touched.js'

/** What of a server its end works with. */
export interface ServerEndParts {
  readonly state: ServerState
  readonly acceptor: Acceptor
  readonly listeners: Listeners
  readonly ports: SharedPorts
  readonly options: ServerOptions
  /** Whether it was made with `server` in its configuration. */
  readonly hasServer: boolean
  /** Ends the whole. */
  stop(): Promise<void>
}

/** Changes and drains a running server. */
export class ServerEnd implements ControlledEnd {
  readonly side = 'server'
  readonly #parts: ServerEndParts
  #config: ServerSide
  #closing: Promise<void> | undefined
  /** Aborted when clients have no more time to move. */
  readonly #hurry = new AbortController()

  constructor(config: ServerSide, parts: ServerEndParts) {
    this.#config = config
    this.#parts = parts
  }

  get state(): ServerState {
    return this.#parts.state
  }

  get config(): ServerSide {
    return this.#config
  }

  get drainTime(): number {
    return this.#config.server.drain
  }

  /** A channel is open for as long as its session: a stop must not wait for it. */
  get streams(): number {
    let streams = 0
    for (const { link, channels } of this.#parts.acceptor.sessions.values()) streams += link.streams - channels.size
    return streams + (this.#parts.state.cluster?.streams ?? 0)
  }

  /** What a drain waits for. */
  get #left(): number {
    let left = this.#parts.state.cluster?.streams ?? 0
    for (const { link, channels } of this.#parts.acceptor.sessions.values()) left += channels.left(link.streams)
    return left
  }

  async rehearse(config: RystraConfig): Promise<Rehearsal> {
    if (this.#parts.hasServer) throwIfHalf(config)
    const base = baseOf(config, this.#parts.options)
    let next = this.#config
    let touched: readonly PlanItem[] = []
    const { acceptor, listeners, ports } = this.#parts
    await this.state.kernel.rehearse(await usesOf(config, this.#parts.options), async (generation) => {
      next = checkedWith(base, generation)
      await probeListeners(next.server, generation, listeners.list(), ports)
      const { portOffset: offset } = this.#parts.options
      await probeExtensions(generation.listens, { server: next.server }, { side: 'server', ports, offset })
      touched = touchedBy(next.server, generation.registries, acceptor.sessions.values())
    })
    return { config: next, touched }
  }

  async apply(config: RystraConfig): Promise<ReloadContext> {
    const { state, listeners, options, hasServer } = this.#parts
    // A stop goes on whatever the configuration says.
    if (this.#closing !== undefined) throw new RystraError('session.closing', { side: 'server', detail: 'it drains' })
    if (hasServer) throwIfHalf(config)
    const base = baseOf(config, options)
    const uses = await usesOf(config, options)
    let opened: readonly OpenListener[] = []
    const report = await this.state.kernel.reload(uses, async (generation) => {
      const next = checkedWith(base, generation)
      opened = await listeners.open(next.server, generation)
      // Nothing can fail any more: a caller that sees the new generation sees its configuration as well.
      this.#config = next
      state.config = next.server
    })
    if (this.#closing !== undefined) {
      // What drains has closed the listeners before, and has not seen these.
      await listeners.close(opened)
      return report
    }
    const { fresh, gone } = await listeners.use(opened)
    this.#parts.state.cluster?.renew()
    await this.#renewProxies(report.added.length + report.removed.length > 0)
    for (const one of gone) state.events.listenerClosed(one.info)
    for (const one of fresh) state.events.listenerOpened(one)
    return report
  }

  /** Proxies are published by the kinds, and with the rights, that there are now. Their clients need not ask again. */
  async #renewProxies(asks: boolean): Promise<void> {
    const { registries } = this.state.kernel.current
    const sessions = [...this.#parts.acceptor.sessions.values()]
    for (const session of sessions) {
      session.reviewVisits(registries)
      session.review(registries)
    }
    this.#parts.state.pushes.renew()
    const renew = async (session: ServerSession): Promise<void> => {
      try {
        await session.renew(asks)
      } catch (error) {
        // One client that floods keeps no other from its new configuration.
        session.log.error({ err: error }, 'its proxies could not be renewed')
      }
    }
    // A kind that takes its time to publish must not hold up the reload.
    const { clock, config } = this.#parts.state
    const renewed = Promise.all(sessions.map(renew))
    await new Promise<void>((resolve) => {
      const cancel = clock.after(config.takeoverTimeout, resolve)
      const done = renewed.finally(() => {
        cancel()
        resolve()
      })
      background(done, this.#parts.state.log, 'proxies could not be renewed')
    })
  }

  /** Closed once; every call waits for as long as it says itself. */
  async drain(limit: number, alternatives?: readonly Address[]): Promise<void> {
    const { clock } = this.state
    const deadline = clock.now() + limit
    for (const [index, { host, port }] of (alternatives ?? []).entries()) {
      if (isHost(host) && Number.isInteger(port) && port >= 1 && port <= 65_535) continue
      const detail = `alternatives[${index}]: expected a host and a port, got ${JSON.stringify({ host, port })}`
      throw new RystraError('usage.invalid', { side: 'server', detail })
    }
    this.#closing ??= this.#close(limit, alternatives ?? this.#parts.state.cluster?.alternatives)
    // A stop does not wait for clients that a drain before it has given more time to move.
    await orElse(this.#closing, limit, () => this.#hurry.abort(), clock)
    const timeout = Math.max(0, deadline - clock.now())
    const streams = this.#left
    const { log } = this.#parts.state
    if (streams > 0 && timeout > 0) log.info({ streams, deadline: timeout }, 'waiting for streams')
    await drained(() => this.#left, timeout, clock)
  }

  /** @param drain Milliseconds that clients are told */
  async #close(drain: number, alternatives: readonly Address[] | undefined): Promise<void> {
    const { acceptor, listeners, ports } = this.#parts
    acceptor.close()
    await listeners.use([])
    const error = new RystraError('session.closing', { side: 'server' })
    if (alternatives !== undefined) await this.#moveClients(drain, error, alternatives)
    // Before its proxies are gone: visitors that come from now on are for the process that has the sockets next.
    ports.inherited.close()
    await Promise.all([...acceptor.sessions.values()].map((session) => session.retire(drain, 'shutdown', error)))
    // Until now others have passed visitors on to it.
    this.#parts.state.cluster?.drain()
  }

  /** Visitors are served until each client has left, which it does once its proxies are published elsewhere. */
  async #moveClients(drain: number, error: RystraError, alternatives: readonly Address[]): Promise<void> {
    const { acceptor, state } = this.#parts
    const sessions = [...acceptor.sessions.values()]
    const published = (): number =>
      this.#hurry.signal.aborted ? 0 : sessions.reduce((sum, { ended, proxies }) => sum + (ended ? 0 : proxies.size), 0)
    for (const session of sessions) session.offer(drain, error, alternatives)
    await drained(published, drain, state.clock)
    state.log.info({ sessions: sessions.length, proxies: published() }, 'clients have moved')
  }

  stop(): Promise<void> {
    return this.#parts.stop()
  }

  async handOver(): Promise<HandOver> {
    const { acceptor, listeners, ports, state } = this.#parts
    const refuse = (detail: string): never => {
      throw new RystraError('control.unavailable', { side: 'server', detail })
    }
    if (this.#closing !== undefined) throw new RystraError('session.closing', { side: 'server' })
    if (state.cluster !== undefined) refuse('a server of a cluster: drain it with `--stop`, and start it anew')
    const alone = listeners.list().find(({ info }) => !ports.has(info))
    if (alone !== undefined)
      refuse(
        `${alone.id} does not listen on TCP, and cannot be handed over: drain it with \`rystra drain --stop\`, and start it anew`
      )
    const names = (): string[] => publishedNames(state.kernel.current.registries, acceptor.sessions.values())
    await this.#clientsReturned(names)
    const proxies = [...acceptor.sessions.values()].flatMap((session) => [...session.proxies.values()])
    return {
      chosen: await ports.chosen(),
      rebound: proxies.filter(({ ports: own }) => own.portOf('udp') !== undefined).map(({ address }) => address),
      done: () => {
        const published = names()
        ports.leave(published)
        return published
      }
    }
  }

  /** Clients of the process before this one come first: their visitors wait here, where nothing comes once there is a next process. */
  async #clientsReturned(names: () => readonly string[]): Promise<void> {
    const { ports } = this.#parts
    const { returning, before } = ports
    if (returning === undefined || before === undefined) return
    await returned(() => !before.isMissingIn(new Set(names())), returning)
  }

  async addProxy(spec: ProxySpec, session: string | undefined, options: AddProxyOptions): Promise<ProxyHandle> {
    if (this.#closing !== undefined) throw new RystraError('session.closing', { side: 'server' })
    return this.#parts.state.pushes.add(this.#sessionOf(session), spec, options)
  }

  /** By its id, or by that of its client where one client has that. */
  #sessionOf(id: string | undefined): ServerSession {
    const { sessions } = this.#parts.acceptor
    const found = [...sessions.values()].filter(({ info }) => info.client.id === id)
    const several = new Set(found.map(({ info }) => info.identity.id)).size > 1
    // The newest: the one that it replaces is still there for a moment.
    const session = found.at(-1) ?? sessions.get(id ?? '')
    if (session !== undefined && !several) return session
    const ambiguous = !several ? '' : ': clients of several identities have this id, name the session'
    const detail = `client ${id ?? '(not named)'}${ambiguous}`
    throw new RystraError('control.not-found', { side: 'server', detail, ...this.#hintOf(id) })
  }

  /** Where it is, in a cluster. */
  #hintOf(id = ''): { readonly hint?: string } {
    const cluster = this.#parts.state.cluster?.remotes
    const [remote = cluster?.session(id)] = cluster?.ofClient(id) ?? []
    return remote === undefined ? {} : { hint: `it is connected to the server ${remote.member}: do it there` }
  }

  async removeProxy(id: string): Promise<void> {
    const { state, acceptor } = this.#parts
    const end = id.indexOf('.')
    const proxy = acceptor.sessions.get(id.slice(0, end))?.proxies.get(id.slice(end + 1))
    const pushed = proxy?.pushed ?? state.pushes.find(id)
    if (pushed === undefined) throw new RystraError('control.not-found', { side: 'server', detail: `proxy ${id}` })
    await pushed.remove()
  }
}
