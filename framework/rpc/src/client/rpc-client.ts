import { background, silentLog } from '@rystra/model'
import { parseEndpoint } from '@rystra/address'
import type { Client } from '@rystra/client'
import type { ExtensionEntry } from '@rystra/plugin'
import { hostname } from 'node:os'
import { extensionsFor, RpcBuilder } from '../builder.js'
import { rpcError } from '../error.js'
import { installedPackage } from '../installed-package.js'
import type { Metadata } from '../frame/metadata.js'
import type { ClientOptions } from '../links.js'
import type { Rpc } from '../rpc.js'
import type { Members, Service } from '../service/define.js'
import { MAX_TIMER_MS } from '../session/max-timer.js'
import type { RequestOptions } from '../session/outgoing-calls.js'
import type { RpcStream } from '../session/rpc-stream.js'
import type { StreamOptions } from '../session/stream-options.js'
import type { RpcSession, ServiceView } from '../session/rpc-session.js'
import { firstThatConnects } from './discover.js'

/** How {@link RpcClient.connect} connects. */
export interface RpcClientOptions {
  /** The client's id: a session replaces an earlier one with the same id. @default host name and process */
  readonly id?: string
  readonly token?: string
  /** Fields of the transport in `client.connect`, such as `fingerprint` or `ca`. */
  readonly dial?: Readonly<Record<string, unknown>>
  /** How connections are made again. @default as `client.reconnect` */
  readonly reconnect?: Readonly<Record<string, unknown>>
}

/** How {@link RpcClient.discover} finds its server, and connects. */
export interface RpcDiscoverOptions extends RpcClientOptions {
  /** Only servers with this transport. @default any */
  readonly transport?: string
  /** Time to find a server and to authenticate with it, in milliseconds. @default 10000 */
  readonly timeout?: number
  /** The extension that finds. @default `@rystra/discovery-mdns` */
  readonly discovery?: ExtensionEntry
}

const DISCOVER_TIMEOUT_MS = 10_000

/** Makes an {@link RpcClient}. */
export class RpcClientBuilder extends RpcBuilder {
  #to: string | undefined
  #name: string | undefined
  #settings: RpcDiscoverOptions = {}

  /** The server: `transport://host:port`. */
  to(url: string, options: RpcClientOptions = {}): this {
    this.#to = url
    this.#settings = { ...this.#settings, ...options }
    return this
  }

  /** The server that announces itself on the local network under this name, see {@link RpcClient.discover}. */
  discover(name: string, options: RpcDiscoverOptions = {}): this {
    this.#name = name
    this.#settings = { ...this.#settings, ...options }
    return this
  }

  /**
   * Resolves when the session is up. A server that cannot be reached is dialed again, forever unless `reconnect: { attempts }` says
   * otherwise. Rejects with `connect.*` then, and at once with `auth.*`, `tls.*`, `discovery.not-found` and others that do not pass.
   */
  async connect(): Promise<RpcClient> {
    const { transport, discovery = '@rystra/discovery-mdns', timeout = DISCOVER_TIMEOUT_MS } = this.#settings
    if (this.#name !== undefined) {
      const discover = this.#name
      return firstThatConnects({ name: discover, transport, discovery, timeout, log: this.log }, (scheme, signal) =>
        this.#open({ transport: scheme, discover }, [discovery], signal)
      )
    }
    if (this.#to === undefined) throw rpcError('rpc.invalid', 'no server: call to() or discover()')
    const forms = { scheme: true } as const
    const { scheme = 'tcp', host, port } = parseEndpoint(this.#to, forms, { name: 'the server', code: 'usage.invalid' })
    return this.#open({ transport: scheme, host, port }, [])
  }

  async #open(
    server: { readonly transport: string } & Readonly<Record<string, unknown>>,
    more: readonly ExtensionEntry[],
    signal?: AbortSignal
  ): Promise<RpcClient> {
    const { id = `${hostname()}-${process.pid}`, token, dial, reconnect } = this.#settings
    const auth = token === undefined ? [] : [{ use: '@rystra/auth-token', options: { token } }]
    const extensions = extensionsFor([server.transport], [...auth, ...more, ...this.extensions])
    const rpc = this.makeRpc()
    const { createClient } = await import('@rystra/client')
    const connect = { ...server, ...dial } as never
    const client = await createClient(
      {
        extensions: [...extensions, rpc.extension],
        client: { id, connect, proxies: [], ...(reconnect === undefined ? {} : { reconnect: reconnect as never }) }
      },
      { resolve: installedPackage, ...(this.log === undefined ? {} : { log: this.log }) }
    )
    const abort = (): void =>
      background(client.stop({ drain: 0 }), this.log ?? silentLog, 'a client was not stopped cleanly')
    signal?.addEventListener('abort', abort)
    if (signal?.aborted) abort()
    // Timers of a client keep no process up: one that only waits for its server would end without a word.
    const waiting = setInterval(() => {}, MAX_TIMER_MS)
    await client.start().finally(() => clearInterval(waiting))
    signal?.removeEventListener('abort', abort)
    for (const fn of this.started) await fn()
    return new RpcClient(client, rpc, [...this.stopping])
  }
}

/** A program that connects to an `RpcServer`, or to the server of a tunnel. It comes back by itself. */
export class RpcClient {
  /** The session with the server. */
  readonly session: RpcSession
  readonly #client: Client
  readonly #rpc: Rpc
  readonly #stopping: readonly (() => unknown)[]

  /** @internal */
  constructor(client: Client, rpc: Rpc, stopping: readonly (() => unknown)[]) {
    this.#client = client
    this.#rpc = rpc
    this.#stopping = stopping
    this.session = rpc.server
  }

  static builder(): RpcClientBuilder {
    return new RpcClientBuilder()
  }

  static connect(url: string, options: RpcClientOptions = {}): Promise<RpcClient> {
    return new RpcClientBuilder().to(url, options).connect()
  }

  /**
   * Connects to the first server that announces this name on the local network and authenticates. Any host can answer, so
   * the server must know the token, and its certificate must be trusted or pinned by `dial` where the transport has one.
   * The client looks for it again whenever the session is lost. Rejects with `discovery.not-found` and `discovery.unavailable`.
   */
  static discover(name: string, options: RpcDiscoverOptions = {}): Promise<RpcClient> {
    return new RpcClientBuilder().discover(name, options).connect()
  }

  request(name: string, data?: unknown, options?: RequestOptions): Promise<unknown> {
    return this.session.request(name, data, options)
  }

  emit(name: string, data?: unknown, metadata?: Metadata): Promise<void> | undefined {
    return this.session.emit(name, data, metadata)
  }

  createStream(name: string, options?: StreamOptions): RpcStream {
    return this.session.createStream(name, options)
  }

  use<Of extends Members>(service: Service<Of>): ServiceView<Of> {
    return this.session.use(service)
  }

  /** The session with another client, through the server. */
  peer(id: string, options: ClientOptions = {}): RpcSession {
    return this.#rpc.peer(id, options)
  }

  /** Ends the session: what is queued is sent. */
  async close(): Promise<void> {
    for (const fn of this.#stopping) await fn()
    this.#rpc.close()
    await this.#client.stop({ drain: 0 })
  }
}
