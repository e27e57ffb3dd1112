import { randomBytes } from 'node:crypto'
import type { ResolvedClient } from '@rystra/config'
import { background, type RystraError } from '@rystra/model'
import type { PushProxy } from '@rystra/protocol'
import type { ClientSession } from './client-session.js'
import { staysWith } from './configured-servers.js'
import type { Forwards } from './forwards.js'
import type { Publications } from './publications.js'
import type { Pushes } from './pushes.js'
import { ServerList } from './server-list.js'
import { SessionSlot } from './session-slot.js'
import type { OtherSlot, SlotHost } from './slot-host.js'
import type { ResolveSrv } from './srv.js'
import type { ClientState } from './state.js'

/** What depends on the sessions that are up. */
export interface SessionUsers {
  readonly publications: Publications
  readonly pushes: Pushes
  readonly forwards: Forwards
  /** Called with what ends the client for good. */
  fail(error: RystraError): void
}

/** Keeps the sessions of a client up, each with another server; those before them finish their streams. */
export class Sessions implements SlotHost {
  readonly state: ClientState
  readonly stop: AbortSignal
  readonly servers: ServerList
  readonly instance = randomBytes(8).toString('hex')
  readonly #users: SessionUsers
  #slots: SessionSlot[] = []
  /** Slots that are not wanted any more, until their sessions are over. */
  readonly #closing = new Set<SessionSlot>()

  /** @param stop Aborted when no session is wanted any more */
  constructor(state: ClientState, stop: AbortSignal, users: SessionUsers, resolveSrv: ResolveSrv | undefined) {
    this.state = state
    this.stop = stop
    this.#users = users
    this.servers = new ServerList({ clock: state.clock, log: state.log, resolveSrv })
  }

  /** Those that are up, in the order of their slots. */
  get present(): readonly ClientSession[] {
    return this.#slots.flatMap(({ session }) => session ?? [])
  }

  /** Those that are up, and behind them those that finish their streams. */
  get all(): readonly ClientSession[] {
    const leaving = [...this.#slots, ...this.#closing].flatMap((slot) => [...slot.leaving])
    return [...this.present, ...leaving]
  }

  /** Whether there has been a session. */
  get proven(): boolean {
    return this.#slots.some(({ reconnect }) => reconnect.proven)
  }

  get streams(): number {
    return this.all.reduce((sum, { openStreams }) => sum + openStreams, 0)
  }

  /** What a drain waits for. */
  get inFlight(): number {
    return this.all.reduce((sum, { inFlight }) => sum + inFlight, 0)
  }

  /** Dials until a session is up; the further ones follow. Throws what cannot pass by itself. */
  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      for (const slot of this.#resize()) {
        slot.connect().then(resolve, (error: RystraError) => {
          reject(error)
          if (this.proven) this.#users.fail(error)
        })
      }
    })
  }

  /** Makes as many slots as are configured. Answers with the new ones. */
  #resize(): readonly SessionSlot[] {
    const { redundancy } = this.state.config
    for (const slot of this.#closing) if (slot.leaving.size === 0) this.#closing.delete(slot)
    for (const slot of this.#slots.splice(redundancy)) {
      this.#closing.add(slot)
      slot.close()
    }
    const fresh = Array.from({ length: redundancy - this.#slots.length }, () => new SessionSlot(this))
    for (const slot of fresh) slot.reconnect.proven = this.proven
    this.#slots.push(...fresh)
    return fresh
  }

  others(slot: OtherSlot): readonly OtherSlot[] {
    return this.#slots.filter((one) => one !== slot)
  }

  onUp(session: ClientSession): void {
    for (const { reconnect } of this.#slots) reconnect.proven = true
    this.#users.forwards.attach(session)
    this.#users.publications.offer(session)
  }

  onDown(session: ClientSession, error: RystraError | undefined): void {
    this.#users.forwards.detach(session)
    this.#users.publications.suspend(session)
    this.state.events.emit('disconnected', session.info, error)
  }

  onUnregistered(session: ClientSession, name: string, error: RystraError | undefined): void {
    this.#users.publications.find(name)?.takenBack(session, error)
  }

  onMoved(session: ClientSession, name: string, address: string): void {
    this.#users.publications.find(name)?.moved(session, address)
  }

  onPushed(session: ClientSession, push: PushProxy): void {
    // One that drains adds nothing any more.
    if (this.present.includes(session))
      background(this.#users.pushes.take(session, push), this.state.log, 'a proxy of the server was not taken')
  }

  answered(): Promise<void> {
    return this.#users.publications.answered()
  }

  fail(error: RystraError): void {
    this.#users.fail(error)
  }

  /** Those that another configuration would dial anew. */
  redialed(before: ResolvedClient, next: ResolvedClient): readonly ClientSession[] {
    return this.present.filter(({ server }) => !staysWith(server, before, next))
  }

  /** Another configuration is in force: its servers, and as many sessions as it says. */
  reconfigure(before: ResolvedClient): void {
    if (this.stop.aborted) return
    const gone = new Set(this.redialed(before, this.state.config))
    for (const slot of this.#slots) if (slot.session !== undefined && gone.has(slot.session)) slot.redial()
    for (const slot of this.#resize()) slot.connect().catch((error: RystraError) => this.fail(error))
  }
}
