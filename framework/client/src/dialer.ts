import { TurnQueue } from '@rystra/limits'
import { RystraError, toRystraError } from '@rystra/model'
import type { ClientSession, ClientSessionEvents } from './client-session.js'
import { staysWith } from './configured-servers.js'
import { connectSession } from './connect-session.js'
import { connectToFound, within } from './discovered.js'
import type { KnownServer } from './known-server.js'
import type { Failure } from './round-error.js'
import type { OtherSlot, SlotHost } from './slot-host.js'

/** Milliseconds for a server while there are others to try: enough for a slow handshake over a mobile link. */
const NEXT_SERVER_MS = 5000

/**
 * Dials of all clients of a process that start in one turn of the event loop: of a thousand clients that lose their server
 * the first are back while the last still wait, and none times out because of the others.
 */
const dials = new TurnQueue({ perTurn: 4 })

/** What a {@link Dialer} dials for. */
export interface DialingSlot extends OtherSlot, ClientSessionEvents {
  readonly session: ClientSession | undefined
}

/** Dials the servers of one slot, each once in a round. */
export class Dialer {
  readonly #host: SlotHost
  readonly #slot: DialingSlot
  readonly #signal: AbortSignal
  /** Name and id of the server that is being dialed. */
  #dialing: { readonly name: string; id?: string | undefined } | undefined
  /** Ids of the servers of its sessions. */
  readonly #ids = new WeakMap<ClientSession, string>()
  /** Servers that were dialed since the last wait: each once in a round, also when its session is lost at once. */
  readonly #tried = new Set<string>()

  constructor(host: SlotHost, slot: DialingSlot, signal: AbortSignal) {
    this.#host = host
    this.#slot = slot
    this.#signal = signal
  }

  /** Name of the server that is being dialed. */
  get dialing(): string | undefined {
    return this.#dialing?.name
  }

  isWith(name: string, id: string | undefined): boolean {
    const present = this.#slot.session
    const has = (one: string | undefined, of: string | undefined): boolean =>
      one !== undefined && (id === undefined || of === undefined ? one === name : of === id)
    return has(this.#dialing?.name, this.#dialing?.id) || has(present?.server.name, present && this.#ids.get(present))
  }

  /** All servers may be dialed again. */
  beginRound(): void {
    this.#tried.clear()
  }

  /** A server whose session was lost is not dialed again in this round. */
  passOver({ name }: KnownServer): void {
    this.#tried.add(name)
  }

  /** Tries each server once. Throws why the last one failed, or `lost` with none left; why each did is in `failures`. */
  async round(
    preferred: readonly KnownServer[],
    failures: Failure[],
    lost: RystraError | undefined
  ): Promise<ClientSession> {
    const { state, servers } = this.#host
    const { clock, kernel, config } = state
    const { connect } = config
    const search = { connect, generation: kernel.current, clock, signal: this.#signal }
    if (connect.discover !== undefined && lost !== undefined) throw lost
    if (connect.discover !== undefined && preferred.length === 0)
      return connectToFound(search, connect.discover, (server, signal) => this.#dial(server, signal))
    const known = connect.discover === undefined ? await servers.inOrder(connect, kernel.current.registries) : []
    const all = [...preferred, ...known.filter(({ name }) => !preferred.some((one) => one.name === name))]
    const left = all.filter(({ name }) => this.#isFree(name, all.length) && !this.#tried.has(name))
    if (left.length === 0 && lost !== undefined) throw lost
    for (const [index, server] of left.entries()) {
      if (!this.#isFree(server.name, all.length)) continue
      const isLast = index === left.length - 1
      this.#tried.add(server.name)
      try {
        if (isLast) return await this.#dial(server, this.#signal)
        return await within(search, NEXT_SERVER_MS, (signal) => this.#dial(server, signal))
      } catch (cause) {
        this.#signal.throwIfAborted()
        const error = toRystraError(cause, 'session.lost')
        servers.failed(server, error)
        failures.push({ server, error })
      }
    }
    throw (
      failures.at(-1)?.error ?? new RystraError('session.duplicate', { side: 'client', detail: 'no further server' })
    )
  }

  /** One address alone may lead to several servers: which one answers is known after Hello. */
  #isFree(name: string, known: number): boolean {
    if (known === 1) return true
    const { session } = this.#slot
    // Another process may take over at the address of one that drains.
    const isPresent = session?.server.name === name && !session.goingAway
    return !isPresent && !this.#host.others(this.#slot).some((slot) => slot.usesAddress(name))
  }

  async #dial(server: KnownServer, signal: AbortSignal): Promise<ClientSession> {
    const { state, instance, servers } = this.#host
    const { config } = state
    const dialing: { readonly name: string; id?: string | undefined } = { name: server.name }
    this.#dialing = dialing
    await new Promise<void>((resolve) => dials.add(resolve))
    const checkServer = (id: string | undefined): void => {
      const present = this.#slot.session
      const isPresent = present?.isLeft === false && id !== undefined && this.#ids.get(present) === id
      if (isPresent || this.#host.others(this.#slot).some((slot) => slot.isWith(server.name, id)))
        throw new RystraError('session.duplicate', { side: 'client', detail: server.name })
      dialing.id = id
    }
    try {
      signal.throwIfAborted()
      const session = await connectSession({ server, instance, signal, checkServer }, state, this.#slot)
      if (this.#signal.aborted || !staysWith(server, config, state.config)) {
        session.close()
        throw new RystraError('session.closing', { side: 'client', detail: 'another one is wanted by now' })
      }
      const { goneFor } = session
      if (goneFor !== undefined) {
        session.close()
        throw goneFor
      }
      if (dialing.id !== undefined) this.#ids.set(session, dialing.id)
      servers.connected(server)
      return session
    } finally {
      this.#dialing = undefined
    }
  }
}
