import { parseEndpoint } from '@rystra/address'
import type { ExtensionEntry } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { extensionsFor, RpcBuilder } from '../builder.js'
import { rpcError } from '../error.js'
import { installedPackage } from '../installed-package.js'
import type { ClientOptions } from '../links.js'
import type { RelayRule } from '../relay-rules.js'
import type { Rpc } from '../rpc.js'
import type { RpcSession } from '../session/rpc-session.js'
import { announce } from './announce.js'

/** Where an {@link RpcServer} listens. */
export interface BoundAddress {
  readonly transport: string
  readonly host: string
  readonly port: number
  /** What a client needs as `dial` to be sure of this server: the `fingerprint` of a certificate that it has made itself. */
  readonly join?: Readonly<Record<string, string>>
}

const source = { name: 'bind', code: 'usage.invalid' } as const

/** What {@link RpcServerBuilder} has gathered. */
interface Parts {
  readonly rpc: Rpc
  readonly make: () => Promise<Server>
  /** Under which it is announced. */
  readonly names: readonly string[]
  readonly started: readonly (() => unknown)[]
  readonly stopping: readonly (() => unknown)[]
}

/** Makes an {@link RpcServer}. */
export class RpcServerBuilder extends RpcBuilder {
  readonly #listen: Record<string, unknown>[] = []
  readonly #names: string[] = []

  /**
   * Listens at `transport://host:port`, port 0 for a free one. `fields` are those of the transport in `server.listen`, such
   * as `cert` and `key`. May be called several times.
   */
  bind(url: string, fields: Readonly<Record<string, unknown>> = {}): this {
    const { scheme = 'tcp', host, port } = parseEndpoint(url, { scheme: true, anyPort: true }, source)
    this.#listen.push({ transport: scheme, host, port, ...fields })
    return this
  }

  /** Lets clients in by a token each. */
  tokens(tokens: readonly { readonly identity: string; readonly token: string }[]): this {
    return this.extension({ use: '@rystra/auth-token', options: { tokens } })
  }

  /**
   * Announces the server under a name on the local network, for `RpcClient.discover(name)` and `connect: { discover }`.
   *
   * @param discovery the extension that announces
   */
  enableDiscovery(name: string, discovery: ExtensionEntry = '@rystra/discovery-mdns'): this {
    this.#names.push(name)
    return this.extension(discovery)
  }

  /** Which client may call which other one through this server. @default none may */
  relay(rules: readonly RelayRule[]): this {
    return this.options({ relay: rules })
  }

  /** Checks what was said. Throws `rpc.invalid`. Nothing listens before `start()` or `run()`. */
  build(): RpcServer {
    if (this.#listen.length === 0) throw rpcError('rpc.invalid', 'nothing to listen at: call bind()')
    const rpc = this.makeRpc()
    const listen = [...this.#listen]
    const extensions = extensionsFor(
      listen.map(({ transport }) => String(transport)),
      this.extensions
    )
    const { log } = this
    const make = async (): Promise<Server> => {
      const { createServer } = await import('@rystra/server')
      return createServer(
        { extensions: [...extensions, rpc.extension], server: { listen: listen as never } },
        { resolve: installedPackage, ...(log === undefined ? {} : { log }) }
      )
    }
    return new RpcServer({
      rpc,
      make,
      names: [...this.#names],
      started: [...this.started],
      stopping: [...this.stopping]
    })
  }
}

/** A program that others connect to. It is a server of the tunnel that publishes nothing. */
export class RpcServer {
  readonly #parts: Parts
  #server: Server | undefined
  #stopping: Promise<void> | undefined
  readonly #announced = new AbortController()
  #tellStopped: () => void = () => {}
  readonly #stopped = new Promise<void>((resolve) => {
    this.#tellStopped = resolve
  })

  /** @internal */
  constructor(parts: Parts) {
    this.#parts = parts
  }

  static builder(): RpcServerBuilder {
    return new RpcServerBuilder()
  }

  /** Sessions with clients, all of them. */
  get sessions(): readonly RpcSession[] {
    return [...this.#parts.rpc.sessions()]
  }

  /** The session with a client, by its id. Throws `rpc.unavailable`; also where several identities have the id. */
  client(id: string, options: ClientOptions = {}): RpcSession {
    return this.#parts.rpc.client(id, options)
  }

  /** Where it listens; ports 0 are resolved. */
  get addresses(): readonly BoundAddress[] {
    return this.#server?.listening ?? []
  }

  /**
   * Resolves when it listens, and is announced where that was asked for. Rejects with `listen.*`, `extension.*`,
   * `config.*`, `discovery.*`, and what `onStart` throws: then it was stopped again.
   */
  async start(): Promise<this> {
    if (this.#server !== undefined) throw rpcError('rpc.invalid', 'a server is started once')
    const server = await this.#parts.make()
    this.#server = server
    try {
      await server.start()
      for (const name of this.#parts.names) await announce(server, name, this.#announced.signal)
      for (const fn of this.#parts.started) await fn()
    } catch (error) {
      await this.stop(0)
      throw error
    }
    return this
  }

  /** Starts it. Resolves when it was stopped. */
  async run(): Promise<void> {
    await this.start()
    await this.#stopped
  }

  /** Tells clients to make no new calls, waits for those in flight, and stops. @param drain milliseconds. @default 5000 */
  stop(drain = 5000): Promise<void> {
    this.#stopping ??= this.#stop(drain)
    return this.#stopping
  }

  async #stop(drain: number): Promise<void> {
    this.#announced.abort()
    for (const fn of this.#parts.stopping) await fn()
    await this.#parts.rpc.drain(drain)
    await this.#server?.stop({ drain: 0 })
    this.#tellStopped()
  }
}
