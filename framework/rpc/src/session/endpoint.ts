import type { ChannelOpener as SessionChannels } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import type { State } from '../context/state.js'
import { replaySafeOnly } from '../early/incoming.js'
import { rpcError } from '../error.js'
import type { Router } from '../router/router.js'
import type { RpcPeer } from './peer.js'
import type { ChannelHead, ChannelOpener, ChannelTarget, RpcChannel } from './port.js'
import { ProgramSession } from './session.js'
import type { RpcSessionOptions } from './session-options.js'
import type { RpcSettings } from './settings.js'

/** Sessions that one peer may have at once. */
const MAX_SESSIONS = 64

type Report = () => SessionChannels['reportCall']

/** What one program answers with, on all of its sessions. */
export interface EndpointOptions {
  readonly settings: RpcSettings
  readonly router: Router
  readonly context: State
  /** A session is up. */
  readonly onSession?: (session: ProgramSession) => void
}

/** Where a channel comes from. */
export interface ChannelOrigin {
  readonly peer: RpcPeer
  /** Unique for each peer: a session is found within it alone. */
  readonly scope: string
  /** To the same peer, on the same session. */
  readonly opener: ChannelOpener
  readonly report?: Report
  /** The session that waits for this peer to open its channel of calls. */
  readonly awaited?: ProgramSession | undefined
}

/** Takes the channels that peers open, and makes sessions of them; opens those of this side. */
export class RpcEndpoint {
  readonly #options: EndpointOptions
  /** Accepted sessions, by the scope of the peer and the number it gave them. */
  readonly #accepted = new Map<string, Map<string, ProgramSession>>()

  constructor(options: EndpointOptions) {
    this.#options = options
  }

  /** Sessions that peers opened. */
  *sessions(): Generator<ProgramSession> {
    for (const sessions of this.#accepted.values()) yield* sessions.values()
  }

  /** The newest session that a peer opened. */
  sessionOf(scope: string): ProgramSession | undefined {
    return [...(this.#accepted.get(scope)?.values() ?? [])].at(-1)
  }

  /** A peer opened a channel. Throws `rpc.lost`, `rpc.busy` and `rpc.protocol`: then the channel is to be reset. */
  accept(
    { kind, session: id }: ChannelHead,
    channel: RpcChannel,
    { peer, scope, opener, report, awaited }: ChannelOrigin
  ): void {
    const sessions = this.#accepted.get(scope) ?? new Map<string, ProgramSession>()
    const found = sessions.get(id)
    if (kind === 'stream') {
      if (found === undefined) throw rpcError('rpc.lost', 'a stream of no session')
      found.acceptStream(channel)
      return
    }
    if (found !== undefined) throw rpcError('rpc.protocol', 'the session is there already')
    if (sessions.size >= MAX_SESSIONS) throw rpcError('rpc.busy', `${MAX_SESSIONS} sessions at once`)
    const session = awaited ?? this.#make(id, peer, () => opener, false, { report })
    awaited?.adopt(id)
    sessions.set(id, session)
    this.#accepted.set(scope, sessions)
    session.on('close', () => {
      sessions.delete(id)
      if (sessions.size === 0) this.#accepted.delete(scope)
    })
    session.attach(channel)
    this.#options.onSession?.(session)
  }

  /** A session of this side. It has no connection before {@link connect}. */
  create(
    peer: RpcPeer,
    opener: () => ChannelOpener | undefined,
    reconnects: boolean,
    more: Pick<RpcSessionOptions, 'target' | 'wanted' | 'report' | 'peers'> = {}
  ): ProgramSession {
    return this.#make(randomBytes(9).toString('base64url'), peer, opener, reconnects, more)
  }

  /** A session for the calls in early data of a peer: not listed, and without a way to call back. */
  early(peer: RpcPeer): ProgramSession {
    const { settings, router, context } = this.#options
    const guarded = { ...settings, inbound: [replaySafeOnly, ...settings.inbound] }
    const id = randomBytes(9).toString('base64url')
    return new ProgramSession({
      id,
      remote: peer,
      settings: guarded,
      router,
      context,
      opener: () => undefined,
      reconnects: false
    })
  }

  /** Opens the channel of calls. */
  async connect(session: ProgramSession, opener: ChannelOpener, target: ChannelTarget = {}): Promise<void> {
    const head = { kind: 'calls', session: session.id, ...target } as const
    const channel = await opener.open(head)
    if (session.closed) channel.stream.reset()
    else session.attach(channel)
  }

  #make(
    id: string,
    peer: RpcPeer,
    opener: () => ChannelOpener | undefined,
    reconnects: boolean,
    more: Pick<RpcSessionOptions, 'target' | 'wanted' | 'report' | 'peers'>
  ): ProgramSession {
    const { settings, router, context } = this.#options
    return new ProgramSession({ id, remote: peer, settings, router, context, opener, reconnects, ...more })
  }
}
