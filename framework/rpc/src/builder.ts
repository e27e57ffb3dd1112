import type { Logger } from '@rystra/model'
import type { ExtensionEntry } from '@rystra/plugin'
import type { StateKey } from './context/state.js'
import type { AccessRule } from './middleware/access.js'
import type { Middleware } from './middleware/middleware.js'
import type { Handler, HandlerOptions, Listener, StreamHandler } from './session/rpc-session.js'
import { Rpc, type RpcNodeOptions } from './rpc.js'
import type { Members, Service } from './service/define.js'
import type { Implementation } from './service/implement.js'
import type { RpcSession } from './session/rpc-session.js'

/** Something that several programs use: adds handlers, middleware and state to a builder. */
export interface RpcPlugin {
  readonly name: string
  install(builder: RpcBuilder): void
}

type Step = (rpc: Rpc) => void

/** What a server and a client of RPC are made of, one call for each thing. */
export abstract class RpcBuilder {
  protected readonly steps: Step[] = []
  protected readonly middleware: Middleware[] = []
  protected readonly extensions: ExtensionEntry[] = []
  protected readonly started: (() => unknown)[] = []
  protected readonly stopping: (() => unknown)[] = []
  #connect: ((session: RpcSession) => void)[] = []
  #disconnect: ((session: RpcSession, error: Error | undefined) => void)[] = []
  #options: RpcNodeOptions = {}

  /** Answers requests of this name. */
  handler(name: string, fn: Handler, options?: HandlerOptions): this {
    return this.#add((rpc) => rpc.handler(name, fn, options))
  }

  /** Listens to events of this name. */
  listener(name: string, fn: Listener): this {
    return this.#add((rpc) => rpc.listener(name, fn))
  }

  /** Takes streams of this name. */
  streamHandler(name: string, fn: StreamHandler): this {
    return this.#add((rpc) => rpc.streamHandler(name, fn))
  }

  /** Handles the members of a service that the other side calls: on a client those of `reverse(service)`. */
  service<Of extends Members>(service: Service<Of>, handlers: Implementation<Of>): this {
    return this.#add((rpc) => rpc.service(service, handlers))
  }

  /** Handles what an object says by `@handler`, `@listener` and `@streamHandler`. */
  register(instance: object): this {
    return this.#add((rpc) => rpc.register(instance))
  }

  /** Sets state of the whole program: `session.context.get(key)`. */
  set<Value>(key: StateKey<Value>, value: Value): this {
    return this.#add((rpc) => rpc.context.set(key, value))
  }

  #add(step: Step): this {
    this.steps.push(step)
    return this
  }

  /** Adds middleware; the first sees messages first. */
  use(middleware: Middleware): this {
    this.middleware.push(middleware)
    return this
  }

  plugin(plugin: RpcPlugin): this {
    plugin.install(this)
    return this
  }

  /** Which calls of peers are allowed. See `RpcNodeOptions.access`. */
  access(rules: readonly AccessRule[]): this {
    return this.options({ access: rules })
  }

  /** Sizes, limits, codec, log. */
  options(options: RpcNodeOptions): this {
    this.#options = { ...this.#options, ...options }
    return this
  }

  /** An extension of the tunnel: a transport, a muxer, an authenticator, a hook. */
  extension(entry: ExtensionEntry): this {
    this.extensions.push(entry)
    return this
  }

  /** Called when it has started. */
  onStart(fn: () => unknown): this {
    this.started.push(fn)
    return this
  }

  /** Called before it stops. */
  onShutdown(fn: () => unknown): this {
    this.stopping.push(fn)
    return this
  }

  onConnect(fn: (session: RpcSession) => void): this {
    this.#connect.push(fn)
    return this
  }

  onDisconnect(fn: (session: RpcSession, error: Error | undefined) => void): this {
    this.#disconnect.push(fn)
    return this
  }

  protected get log(): Logger | undefined {
    return this.#options.log
  }

  protected makeRpc(): Rpc {
    const { middleware = [], onConnect, onDisconnect } = this.#options
    const rpc = new Rpc({
      ...this.#options,
      middleware: [...middleware, ...this.middleware],
      ...(this.#connect.length === 0
        ? {}
        : {
            onConnect: (session: RpcSession) => {
              onConnect?.(session)
              for (const fn of this.#connect) fn(session)
            }
          }),
      ...(this.#disconnect.length === 0
        ? {}
        : {
            onDisconnect: (session: RpcSession, error: Error | undefined) => {
              onDisconnect?.(session, error)
              for (const fn of this.#disconnect) fn(session, error)
            }
          })
    })
    for (const step of this.steps) step(rpc)
    return rpc
  }
}

/** Packages of transports that are not named as their transport is. */
const packages: Readonly<Record<string, string>> = { wss: 'ws', h2: 'http2', h2c: 'http2' }

/** Extensions that an address needs, by the names of their packages; those in `given` are the application's. */
export const extensionsFor = (transports: readonly string[], given: readonly ExtensionEntry[]): ExtensionEntry[] => {
  const named = new Set(given.map(packageOf))
  const needed = [...transports.map((name) => `@rystra/transport-${packages[name] ?? name}`), '@rystra/mux-yamux']
  return [...new Set(needed)].filter((name) => !named.has(name)).concat(given as string[])
}

const packageOf = (entry: ExtensionEntry): string | undefined => {
  if (typeof entry === 'string') return entry
  const used = 'use' in entry ? entry.use : 'extension' in entry ? entry.extension : entry
  return typeof used === 'string' ? used : `@rystra/${used.definition.name}`
}
