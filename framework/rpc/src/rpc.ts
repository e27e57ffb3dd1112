import { isRystraError, RystraError, type SessionInfo } from '@rystra/model'
import {
  type Channel,
  type ChannelHandler,
  type ChannelInfo,
  type EarlyData,
  type EarlyOffer,
  type ExtensionContext,
  type ExtensionUse,
  defineExtension
} from '@rystra/plugin'
import { headOf, isSamePeer, openerOf, originOf, peerOf, relayedPeer, RPC_CHANNEL, targetOf } from './channel-head.js'
import { CallRoute } from './call-route.js'
import { comeBack } from './come-back.js'
import { State } from './context/state.js'
import { runEarly } from './early/incoming.js'
import { rpcError } from './error.js'
import { type ClientOptions, type Link, Links } from './links.js'
import { RemoteClients } from './remote-clients.js'
import { type AccessRule, access } from './middleware/access.js'
import type { RelayRule } from './relay-rules.js'
import { Registrar } from './registrar.js'
import { RpcEndpoint } from './session/endpoint.js'
import type { RpcPeer } from './session/peer.js'
import type { ChannelHead, ChannelOpener, ChannelTarget } from './session/port.js'
import type { RpcSession } from './session/rpc-session.js'
import type { ProgramSession } from './session/session.js'
import { type RpcOptions, settingsOf } from './session/settings.js'
import { Relays } from './relay.js'

/** How {@link Rpc} is made. */
export interface RpcNodeOptions extends RpcOptions {
  /** Server: which client may reach which other one. The first rule that matches applies. @default none may */
  readonly relay?: readonly RelayRule[]
  /**
   * Which calls of peers are allowed: the first rule that matches applies, without one that matches a call is refused.
   * @default all of the other end of the tunnel, and none of other clients
   */
  readonly access?: readonly AccessRule[]
  /** A session is up. */
  readonly onConnect?: (session: RpcSession) => void
  readonly onDisconnect?: (session: RpcSession, error: Error | undefined) => void
}

/** RPC on the sessions of one server or client. Give its {@link extension} to `createServer` or `createClient`. */
export class Rpc extends Registrar implements ChannelHandler {
  readonly name = RPC_CHANNEL
  readonly context = new State()
  readonly #options: RpcNodeOptions
  readonly #endpoint: RpcEndpoint
  readonly #links = new Links()
  readonly #relays: Relays
  readonly #remotes: RemoteClients
  readonly #peers = new Map<string, ProgramSession>()
  /** Sessions that wait until a client opens its channel, by the session of the tunnel. */
  readonly #awaited = new Map<string, ProgramSession>()
  #server: ProgramSession | undefined
  #role: ExtensionContext<unknown>['role'] | undefined

  constructor(options: RpcNodeOptions = {}) {
    super()
    this.#options = options
    this.#endpoint = new RpcEndpoint({
      settings: settingsOf({
        ...options,
        middleware: [...(options.access === undefined ? [] : [access(options.access)]), ...(options.middleware ?? [])]
      }),
      router: this.router,
      context: this.context,
      onSession: (session) => this.#watch(session)
    })
    this.#relays = new Relays(this.#links, options.relay)
    this.#remotes = new RemoteClients(this.#endpoint, (info) => this.#newest(info))
  }

  /** For `extensions` of a server or a client. */
  get extension(): ExtensionUse {
    const { definition } = this
    return defineExtension(definition)()
  }

  /** @internal */
  get definition(): Parameters<typeof defineExtension>[0] {
    return { name: 'rpc', setup: (context) => this.install(context) }
  }

  /** @internal Registers the channel and follows the sessions of this end. */
  install({ hooks, registries, role, runtime }: ExtensionContext<unknown>): void {
    this.#role = role
    this.#links.cluster = () => runtime.cluster
    registries.channels.add(this)
    hooks.onConnect.tap(({ session, channels }) => this.#connected({ info: session, channels }))
    hooks.onDisconnect.tap(({ session }) => {
      this.#links.delete(session.id)
      this.#awaited.get(session.id)?.close()
    })
  }

  /** @internal */
  async early(limit: number): Promise<EarlyOffer | undefined> {
    return this.#server?.early(limit)
  }

  /** @internal */
  onEarly(early: EarlyData): void {
    runEarly(early, this.#endpoint.early(peerOf(early.session)))
  }

  /** Sessions with programs that called this one; on a server those with its clients. */
  sessions(): Iterable<RpcSession> {
    return this.#endpoint.sessions()
  }

  /** Client: the session with the server. It stays the same over reconnects; calls wait for it within their deadline. */
  get server(): RpcSession {
    if (this.#role === 'server') throw rpcError('rpc.unavailable', 'this is the server')
    if (this.#server === undefined) {
      const address = { address: 'server', port: 0 }
      this.#server = this.#create({ id: 'server', side: 'server', address })
    }
    return this.#server
  }

  /** Client: the session with another client, through the server. */
  peer(id: string, { identity }: ClientOptions = {}): RpcSession {
    const key = JSON.stringify([id, identity])
    const found = this.#peers.get(key)
    if (found !== undefined && !found.closed) return found
    const session = this.#create(relayedPeer(id, identity), { to: id, ...(identity === undefined ? {} : { identity }) })
    this.#peers.set(key, session)
    session.on('close', () => this.#peers.delete(key))
    return session
  }

  /**
   * Server: the session with a client, by its id, or by that of its session. Throws `rpc.unavailable` without such a client,
   * and where clients of several identities have the id and none is named.
   */
  client(id: string, options: ClientOptions = {}): RpcSession {
    const link = this.#links.find(id, options)
    const cluster = this.#links.cluster()
    if (link?.member !== undefined && cluster !== undefined) return this.#remotes.session(link, cluster)
    const accepted = link && this.#endpoint.sessionOf(link.info.id)
    if (accepted !== undefined) return accepted
    if (link === undefined) throw rpcError('rpc.unavailable', `no client ${id}`)
    return this.#awaited.get(link.info.id) ?? this.#await(link)
  }

  /** The newest session of the client of a session. */
  #newest({ client, identity }: SessionInfo): Link | undefined {
    return this.#links.find(client.id, { identity: identity.id })
  }

  /** A session with a client that has not opened its channel yet. One without RPC says so at once. */
  #await({ info, channels }: Link): ProgramSession {
    const opener = openerOf(channels)
    const session = this.#endpoint.create(peerOf(info), () => opener, true, { report: () => channels.reportCall })
    this.#awaited.set(info.id, session)
    session.on('close', () => this.#awaited.delete(info.id))
    const unavailable = (error: Error | undefined): void => {
      if (isRystraError(error) && error.code === 'channel.refused') return
      if (this.#awaited.get(info.id) !== session) return
      session.unavailable(rpcError('rpc.unavailable', error?.message, error))
      session.close()
    }
    opener.open({ kind: 'calls', session: session.id }).then((channel) => {
      channel.stream.onClose = unavailable
    }, unavailable)
    return session
  }

  #create(peer: RpcPeer, target: ChannelTarget = {}): ProgramSession {
    const route = new CallRoute(this.#links, this.#endpoint, target)
    const connect = (): void => route.connect(session)
    const opener = (): ChannelOpener | undefined => route.opener(session)
    const session = this.#endpoint.create(peer, opener, true, {
      wanted: connect,
      report: () => this.#links.last?.channels.reportCall,
      ...(target.to === undefined ? { peers: (id, options) => this.peer(id, options) } : { target })
    })
    this.#watch(session)
    comeBack(session, connect)
    connect()
    return session
  }

  #watch(session: ProgramSession): void {
    const { onConnect, onDisconnect } = this.#options
    if (onConnect === undefined && onDisconnect === undefined) return
    let up = false
    const connected = (): void => {
      up = true
      onConnect?.(session)
    }
    const disconnected = (error: Error | undefined): void => {
      if (up) onDisconnect?.(session, error)
      up = false
    }
    session.on('up', connected)
    session.on('down', disconnected)
    session.on('close', disconnected)
    if (session.connected) connected()
  }

  #connected(link: Link): void {
    this.#links.add(link)
    if (this.#role === 'server') return
    // Connects at once, so that the server can call as soon as the client is there.
    if (this.#server === undefined) void this.server
    else this.#server.wanted()
    for (const session of this.#peers.values()) session.wanted()
  }

  /** Tells peers to make no new calls, and waits for those in flight. @param ms milliseconds at most */
  async drain(ms: number): Promise<void> {
    const sessions = [...this.#endpoint.sessions()]
    for (const session of sessions) session.goAway()
    const until = performance.now() + ms
    while (performance.now() < until && sessions.some((session) => session.busy)) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  /** Ends all sessions. */
  close(): void {
    for (const session of [...this.#endpoint.sessions(), ...this.#peers.values()]) session.close()
    this.#server?.close()
    this.#remotes.close()
  }

  refuse({ details, session }: ChannelInfo): string | undefined {
    const head = headOf(details)
    if (typeof head === 'string') return head
    const away = head.to !== undefined || head.server !== undefined
    if (this.#role === 'server') return away ? this.#relays.refusal(head, session) : undefined
    if (away) return 'relayed to a client'
    const origin = originOf(details)
    if (origin === undefined) return head.kind === 'calls' ? 'the client opens this channel itself' : undefined
    const denied = origin.peer.relayed === true && this.#options.access === undefined
    return denied ? 'no access rule allows calls of other clients' : undefined
  }

  onChannel(channel: Channel): void {
    const { info, stream } = channel
    const head = headOf(info.details) as ChannelHead
    if (head.to !== undefined || head.server !== undefined) {
      this.#relays.pass(channel, head)
      return
    }
    const link = this.#links.get(info.session.id)
    if (link?.member !== undefined) {
      if (!this.#remotes.accept(head, channel, info.session)) this.#remotes.refuse(channel)
      return
    }
    const from = this.#role === 'client' ? originOf(info.details) : undefined
    const peer = from?.peer ?? peerOf(info.session, this.#role === 'client')
    const back = from === undefined ? {} : targetOf(from.peer)
    try {
      if (link === undefined) throw rpcError('rpc.lost')
      if (head.kind === 'stream' && this.#acceptOwn(head, channel, from?.peer)) return
      this.#endpoint.accept(head, channel, {
        peer,
        scope: from?.scope ?? info.session.id,
        opener: openerOf(link.channels, back),
        report: () => link.channels.reportCall,
        awaited: from === undefined ? this.#awaited.get(info.session.id) : undefined
      })
      this.#awaited.delete(info.session.id)
    } catch (error) {
      channel.close(new RystraError('channel.refused', { detail: (error as Error).message, cause: error }))
      stream.reset()
    }
  }

  /** A stream of a session that this end opened: from the program that it is with, and from no other. */
  #acceptOwn({ session: id }: ChannelHead, channel: Channel, from: RpcPeer | undefined): boolean {
    const own = [this.#server, ...this.#peers.values()].find((session) => session?.id === id)
    if (own === undefined) return false
    if (!isSamePeer(own, from)) throw rpcError('rpc.denied', 'a stream of the session of another program')
    own.acceptStream(channel)
    return true
  }
}
