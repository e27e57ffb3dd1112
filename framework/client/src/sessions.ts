import { randomBytes } from 'node:crypto'
import { TurnQueue } from '@rystra/limits'
import { RystraError, toRystraError } from '@rystra/model'
import { drained } from '@rystra/session'
import type { ClientSession, ClientSessionEvents } from './client-session.js'
import { connectSession } from './connect-session.js'
import type { Forwards } from './forwards.js'
import { sameServer } from './options.js'
import type { Publications } from './publications.js'
import type { Pushes } from './pushes.js'
import { Reconnect } from './reconnect.js'
import { connectToServer } from './servers.js'
import type { ClientState } from './state.js'

/**
 * Dials of all clients of a process that start in one turn of the event loop: of a thousand clients that lose their server
 * the first are back while the last still wait, and none times out because of the others.
 */
const dials = new TurnQueue({ perTurn: 4 })

/** What depends on the session that is up. */
export interface SessionUsers {
  readonly publications: Publications
  readonly pushes: Pushes
  readonly forwards: Forwards
  /** Called with what ends the client for good. */
  fail(error: RystraError): void
}

/** Keeps one session of a client up; those before it finish their streams. */
export class Sessions {
  readonly #state: ClientState
  readonly #stop: AbortSignal
  readonly #users: SessionUsers
  readonly #instance = randomBytes(8).toString('hex')
  readonly #reconnect: Reconnect
  #session: ClientSession | undefined
  /** Sessions that are being closed, with the streams that are still open. */
  readonly #leaving = new Set<ClientSession>()

  /** @param stop Aborted when no session is wanted any more */
  constructor(state: ClientState, stop: AbortSignal, users: SessionUsers) {
    this.#state = state
    this.#stop = stop
    this.#users = users
    this.#reconnect = new Reconnect(state, stop)
  }

  /** The session that is up, if one is. */
  get present(): ClientSession | undefined {
    return this.#session
  }

  /** The newest first. */
  get all(): readonly ClientSession[] {
    return [...(this.#session === undefined ? [] : [this.#session]), ...this.#leaving]
  }

  /** Whether there has been a session. */
  get proven(): boolean {
    return this.#reconnect.proven
  }

  get streams(): number {
    return this.all.reduce((sum, { openStreams }) => sum + openStreams, 0)
  }

  /** Dials until a session is up. Throws what cannot pass by itself. */
  async connect(): Promise<void> {
    const { log } = this.#state
    for (;;) {
      const { config } = this.#state
      try {
        const { connect } = config
        const { clock, kernel } = this.#state
        await new Promise<void>((resolve) => dials.add(resolve))
        this.#stop.throwIfAborted()
        const session = await connectToServer(
          { connect, generation: kernel.current, clock, signal: this.#stop },
          (server, signal) => connectSession(server, this.#instance, this.#state, this.#events, signal)
        )
        if (this.#stop.aborted || !sameServer(config, this.#state.config)) {
          session.destroy()
          throw new RystraError('session.lost', { side: 'client', detail: 'another one is wanted by now' })
        }
        if (session.closed) throw new RystraError('session.lost')
        this.#session = session
        this.#reconnect.connected()
        log.info({ session: session.info.id, muxer: session.info.muxer }, 'connected')
        session.announce()
        this.#state.events.emit('connected', session.info)
        this.#users.forwards.use(session)
        this.#users.publications.offer(session)
        session.takePushes(this.#events)
        return
      } catch (cause) {
        if (this.#stop.aborted) throw new RystraError('session.closing', { side: 'client' })
        const error = toRystraError(cause, 'session.lost')
        if (this.#reconnect.endsWith(error)) throw error
        await this.#reconnect.wait(error)
      }
    }
  }

  readonly #events: ClientSessionEvents = {
    onUnregistered: (session, name, error) => {
      const registration = this.#users.publications.find(name)
      // While an answer is on its way this means the one before.
      if (session === this.#session && registration?.requested === false) registration.takenBack(error)
    },
    onMoved: (session, name, address) => {
      if (session === this.#session) this.#users.publications.find(name)?.moved(address)
    },
    onPushed: (session, push) => {
      if (session === this.#session) void this.#users.pushes.take(session, push)
    },
    onGoAway: (session, error) => {
      if (session === this.#session) this.#depart(session, error)
    },
    onClose: (session, error) => {
      this.#leaving.delete(session)
      if (session === this.#session) this.#leave(session, error)
    }
  }

  /** Its open streams have the drain time to finish, while the next session is dialed. */
  #depart(session: ClientSession, error: RystraError | undefined): void {
    this.#leaving.add(session)
    this.#leave(session, error)
    const { config, clock } = this.#state
    const left = (): number => (session.closed ? 0 : session.openStreams)
    void drained(left, config.drain, clock).then(() => session.close())
  }

  /** Another server, or another client of it, is configured. */
  redial(): void {
    const session = this.#session
    if (session === undefined) return
    session.goAway(this.#state.config.drain)
    this.#depart(session, new RystraError('session.lost', { side: 'client', detail: 'the configuration changed' }))
  }

  #leave(session: ClientSession, error: RystraError | undefined): void {
    this.#session = undefined
    this.#reconnect.lost(session.streams.stats().opened > 0)
    this.#users.forwards.use(undefined)
    this.#users.publications.suspend()
    this.#state.events.emit('disconnected', session.info, error)
    if (!this.#stop.aborted) this.#again(error ?? new RystraError('session.lost'))
  }

  #again(error: RystraError): void {
    if (this.#reconnect.isFinal(error)) {
      this.#users.fail(error)
      return
    }
    this.#reconnect
      .wait(error)
      .then(() => this.connect())
      .catch((failure: unknown) => this.#users.fail(toRystraError(failure)))
  }
}
