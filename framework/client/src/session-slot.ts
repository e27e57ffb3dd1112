import { background, RystraError, toRystraError } from '@rystra/model'
import type { PushProxy } from '@rystra/protocol'
import { drained, type GoAwayNotice } from '@rystra/session'
import type { ClientSession, ClientSessionEvents } from './client-session.js'
import { alternativesOf } from './configured-servers.js'
import { Dialer } from './dialer.js'
import type { KnownServer } from './known-server.js'
import { Reconnect } from './reconnect.js'
import { type Failure, roundError } from './round-error.js'
import type { OtherSlot, SlotHost } from './slot-host.js'

/** Longest wait before a client leaves a draining server, so that not all of its clients arrive at the next together. */
const MOVE_SPREAD_MS = 500
/** Part of the drain time that this wait may take. */
const MOVE_PART = 1 / 4
/** Milliseconds in which the proxies have to be published elsewhere before a draining server is left. */
const PUBLISH_TIMEOUT_MS = 5000

/**
 * Milliseconds for which a draining server keeps the proxies after they were published elsewhere: it has accepted connections whose
 * first bytes it has not read yet, and whose host would not be found there.
 */
const LINGER_MS = 1000

/** Milliseconds for the end of a session whose server says that it ends now; then the next one is dialed all the same. */
const END_MS = 1000

/** Keeps one session up, with one server after the other. */
export class SessionSlot implements ClientSessionEvents, OtherSlot {
  readonly reconnect: Reconnect
  readonly #host: SlotHost
  /** Aborted with the client, and when it is closed. One controller: each is 1 KiB for as long as the client runs. */
  readonly #over = new AbortController()
  readonly #signal = this.#over.signal
  readonly #stopped = (): void => this.#over.abort(this.#host.stop.reason)
  #closed = false
  #session: ClientSession | undefined
  /** Sessions whose server takes no more visitors. */
  readonly #drains = new WeakSet<ClientSession>()
  /** Ends the wait for the end of a session whose server says that it ends now. */
  #cancelEnd: (() => void) | undefined
  /** Sessions that are being closed, with the streams that are still open. */
  readonly #leaving = new Set<ClientSession>()
  readonly #dialer: Dialer
  /** Whether a round is under way. */
  #trying = false
  #running: Promise<void> | undefined

  constructor(host: SlotHost) {
    this.#host = host
    if (host.stop.aborted) this.#stopped()
    else host.stop.addEventListener('abort', this.#stopped, { once: true })
    this.reconnect = new Reconnect(host.state, this.#signal)
    this.#dialer = new Dialer(host, this, this.#signal)
  }

  /** The session that is up, if one is. */
  get session(): ClientSession | undefined {
    return this.#session
  }

  get leaving(): ReadonlySet<ClientSession> {
    return this.#leaving
  }

  get active(): boolean {
    return this.#session !== undefined || this.#trying
  }

  isWith(name: string, id: string | undefined): boolean {
    return this.#dialer.isWith(name, id)
  }

  usesAddress(name: string): boolean {
    return this.#dialer.dialing === name || this.#session?.server.name === name
  }

  /**
   * Dials until a session is up. Throws what cannot pass by itself.
   *
   * @param preferred Tried before the configured servers
   * @param lost Why the session before is over: servers that are left of the round are tried before any wait
   */
  connect(preferred: readonly KnownServer[] = [], lost?: RystraError): Promise<void> {
    this.#running ??= this.#connect(preferred, lost).finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #connect(preferred: readonly KnownServer[], lost: RystraError | undefined): Promise<void> {
    for (let why = lost; ; why = undefined) {
      const failures: Failure[] = []
      try {
        this.#trying = true
        const session = await this.#dialer.round(preferred, failures, why)
        this.#adopt(session)
        return
      } catch (cause) {
        this.#trying = false
        if (this.#closed) return
        if (this.#signal.aborted) throw new RystraError('session.closing', { side: 'client' })
        const error = failures.length > 1 ? roundError(failures) : toRystraError(cause, 'session.lost')
        const others = this.#host.others(this)
        if (this.reconnect.endsWith(error) && !others.some(({ active }) => active)) throw error
        const refused =
          failures.length > 1 ? { refused: failures.some((one) => one.error.code === 'auth.refused') } : {}
        await this.reconnect.wait(error, { ...refused, sessions: others.filter(({ session }) => session).length })
        this.#dialer.beginRound()
      }
    }
  }

  #adopt(session: ClientSession): void {
    const { state } = this.#host
    const before = this.#session
    this.#session = session
    this.#trying = false
    this.reconnect.connected()
    const { id, muxer, server } = session.info
    state.log.info({ session: id, muxer, server }, 'connected')
    session.announce()
    state.events.emit('connected', session.info)
    this.#host.onUp(session)
    session.takePushes(this)
    if (before !== undefined) this.#inBackground(this.#leaveBehind(before))
  }

  /** Make before break: the server that is left keeps the proxies until the next one has them. */
  async #leaveBehind(session: ClientSession): Promise<void> {
    const { clock, config } = this.#host.state
    await new Promise<void>((resolve) => {
      const cancel = clock.after(PUBLISH_TIMEOUT_MS, resolve)
      const published = this.#host.answered().finally(() => {
        cancel()
        resolve()
      })
      this.#inBackground(published)
    })
    if (this.#drains.has(session)) await new Promise<void>((resolve) => void clock.after(LINGER_MS, resolve))
    if (session.closed) return
    session.goAway(config.drain)
    this.#depart(session, session.isLeft ? changed() : new RystraError('session.closing', { side: 'server' }))
  }

  onUnregistered(session: ClientSession, name: string, error: RystraError | undefined): void {
    this.#host.onUnregistered(session, name, error)
  }

  onPushed(session: ClientSession, push: PushProxy): void {
    this.#host.onPushed(session, push)
  }

  onMoved(session: ClientSession, name: string, address: string): void {
    this.#host.onMoved(session, name, address)
  }

  onGoAway(session: ClientSession, error: RystraError | undefined, { drain, alternatives }: GoAwayNotice): void {
    if (session !== this.#session) return
    this.#host.servers.failed(session.server, error ?? new RystraError('session.closing'))
    if (this.#host.stop.aborted) this.#depart(session, error)
    else if (alternatives === undefined) this.#endWith(session, error, drain)
    else {
      this.#drains.add(session)
      this.#move(error, drain, alternatives)
    }
  }

  /**
   * The server ends the session. With no time to drain that is now: the next one is dialed when this one is over, so that the
   * server has one of them at a time, and calls that wait for the next one travel with its first packets.
   */
  #endWith(session: ClientSession, error: RystraError | undefined, drain: number): void {
    if (drain > 0) {
      this.#depart(session, error)
      return
    }
    session.leftFor = error
    this.#cancelEnd?.()
    this.#cancelEnd = this.#host.state.clock.after(END_MS, () => {
      if (session === this.#session) this.#depart(session, error)
    })
  }

  /** Looks for another server while this one still has the proxies. */
  #move(error: RystraError | undefined, drain: number, addresses: NonNullable<GoAwayNotice['alternatives']>): void {
    const { state } = this.#host
    const alternatives = alternativesOf(addresses, state.config.connect, state.kernel.current.registries)
    const refused = addresses.length - alternatives.length
    state.log.info(
      { err: error, alternatives: alternatives.map(({ name }) => name), ...(refused === 0 ? {} : { refused }) },
      'the server drains; moving to another one'
    )
    this.#dialer.beginRound()
    const preferred = alternatives.length === 0 && this.#session !== undefined ? [this.#session.server] : alternatives
    const wait = Math.random() * Math.min(MOVE_SPREAD_MS, drain * MOVE_PART)
    state.clock.after(wait, () => {
      if (!this.#signal.aborted) this.#run(() => this.connect(preferred))
    })
  }

  onClose(session: ClientSession, error: RystraError | undefined): void {
    if (!this.#leaving.delete(session)) this.#leave(session, error)
  }

  /** Its open streams have the drain time to finish. */
  #depart(session: ClientSession, error: RystraError | undefined): void {
    this.#leaving.add(session)
    session.leftFor = error
    this.#leave(session, error)
    const { config, clock } = this.#host.state
    const left = (): number => (session.closed ? 0 : session.inFlight)
    this.#inBackground(drained(left, config.drain, clock).finally(() => session.close()))
  }

  #inBackground(work: Promise<unknown>): void {
    background(work, this.#host.state.log, 'a session was not left cleanly')
  }

  #leave(session: ClientSession, error: RystraError | undefined): void {
    const isPresent = session === this.#session
    if (isPresent) {
      this.#session = undefined
      this.#cancelEnd?.()
      if (this.reconnect.lost(session.streams.stats().opened > 0)) this.#dialer.beginRound()
      this.#dialer.passOver(session.server)
    }
    this.#host.onDown(session, error)
    if (isPresent && !this.#signal.aborted) this.#again(error ?? new RystraError('session.closing'))
  }

  #again(error: RystraError): void {
    if (this.reconnect.isFinal(error)) this.#host.fail(error)
    else if (this.#running === undefined) this.#run(() => this.connect([], error))
  }

  #run(work: () => Promise<void>): void {
    work().catch((failure: unknown) => {
      if (!this.#closed) this.#host.fail(toRystraError(failure))
    })
  }

  /** Another client, or another server, is configured: what there is serves until the next session has the proxies. */
  redial(): void {
    if (this.#session === undefined) return
    this.#session.leave(this.#host.state.config.drain)
    this.#dialer.beginRound()
    this.#run(() => this.connect())
  }

  /** It is not wanted any more; its streams have the drain time to finish. */
  close(): void {
    this.#closed = true
    this.#host.stop.removeEventListener('abort', this.#stopped)
    this.#over.abort()
    const session = this.#session
    if (session === undefined) return
    session.goAway(this.#host.state.config.drain)
    this.#depart(session, changed())
  }
}

/** Why a session is left that another one follows, or that is not wanted any more. */
const changed = (): RystraError =>
  new RystraError('session.closing', { side: 'client', detail: 'the configuration changed' })
