import type { GenerationRef } from '@rystra/kernel'
import { EventEmitter } from 'node:events'
import { type ResolvedConfig, type ResolvedServer, type RystraConfig, validateBase, validateWith } from '@rystra/config'
import { Kernel, type KernelUse, loadWithPreset } from '@rystra/kernel'
import { type Logger, RystraError, type SessionInfo, silentLog } from '@rystra/model'
import { SharedPorts } from '@rystra/net'
import type { Clock, Extension, Listener, ReloadContext } from '@rystra/plugin'
import { drained, orElse } from '@rystra/session'
import { Acceptor } from './acceptor.js'
import { MemoryClaims } from './memory-claims.js'
import type { Listening, PublishedProxy, ServerEvents } from './events.js'
import { lastPorts } from './last-ports.js'
import { ServerRuntime } from './runtime.js'
import type { ServerState } from './state.js'

/** How a server is made. */
export interface ServerOptions {
  /** Relative paths in the configuration start here. @default the working directory */
  readonly dir?: string
  /** Where extensions keep what has to outlast the process. @default `.rystra` in `dir` */
  readonly stateDir?: string
  /** @default says nothing */
  readonly log?: Logger
  /** @default the clock of the machine */
  readonly clock?: Clock
  /** Loaded too, each unless the configuration has an extension of the same name. @default none */
  readonly preset?: readonly Extension[]
  /** Where to find a package before it is looked for in `node_modules`. */
  readonly resolve?: (name: string) => string | undefined
}

interface Listed {
  readonly key: string
  readonly listener: Listener
  readonly listening: Listening
}

/** The public end. Make one with {@link createServer}. */
export class Server extends EventEmitter<ServerEvents> {
  readonly kernel: Kernel
  readonly #options: ServerOptions
  readonly #state: ServerState
  readonly #acceptor: Acceptor
  #listeners: Listed[] = []
  #starting = false
  /** The last of the reloads, which are done one at a time. */
  #reloads: Promise<unknown> = Promise.resolve()
  #stopping: Promise<void> | undefined
  /** Whether it was made with `server` in its configuration. */
  readonly #hasServer: boolean

  /** @internal */
  constructor(
    config: ResolvedServer,
    kernel: Kernel,
    ports: SharedPorts,
    runtime: ServerRuntime,
    options: ServerOptions,
    hasServer: boolean
  ) {
    super()
    this.#hasServer = hasServer
    this.kernel = kernel
    this.#options = options
    let streams = 0
    this.#state = {
      config,
      kernel,
      clock: kernel.clock,
      log: options.log ?? silentLog,
      events: this,
      refused: (refused) => {
        kernel.current.calls.refused({ ...refused, side: 'server' })
        this.emit('refused', refused)
      },
      accepted: ports.accepted,
      claims: new MemoryClaims(() => this.#state.config.takeoverTimeout),
      lastPorts: lastPorts(),
      failover: new WeakMap(),
      nextStreamId: () => {
        streams += 1
        return streams.toString(36)
      }
    }
    this.#acceptor = new Acceptor(this.#state, ports, runtime.byId)
  }

  /** Where it listens; ports 0 are resolved. */
  get listening(): readonly Listening[] {
    return this.#listeners.map(({ listening }) => listening)
  }

  get sessions(): readonly SessionInfo[] {
    return [...this.#acceptor.sessions.values()].map(({ info }) => info)
  }

  get proxies(): readonly PublishedProxy[] {
    return [...this.#acceptor.sessions.values()].flatMap(({ info, proxies }) =>
      [...proxies.values()]
        .filter(({ announced }) => announced)
        .map(({ spec, address }) => ({ spec, address, session: info }))
    )
  }

  /** Accepted connections that are not closed yet, by the address they came in at. */
  get connections(): Readonly<Record<string, number>> {
    return this.#state.accepted.counts
  }

  /** Streams that are open now. */
  get streams(): number {
    let streams = 0
    // A channel is open for as long as its session: a stop must not wait for it.
    for (const { link, channels } of this.#acceptor.sessions.values()) streams += link.streams - channels.size
    return streams
  }

  /** Starts the extensions and listens. Rejects with `extension.start-failed` or `listen.*`; nothing is left running then. */
  async start(): Promise<void> {
    if (this.#starting) throw new RystraError('kernel.state', { side: 'server', detail: 'a server is started once' })
    this.#starting = true
    try {
      await this.kernel.start()
      this.#listeners = await this.#listen(this.#state.config, this.kernel.current, [])
      if (this.#stopping !== undefined) {
        await Promise.all(this.#listeners.splice(0).map(({ listener }) => listener.close()))
        throw new RystraError('session.closing', { side: 'server', detail: 'it was stopped while it started' })
      }
    } catch (error) {
      await this.stop({ drain: 0 })
      throw error
    }
    for (const { listening } of this.#listeners) this.emit('listening', listening)
  }

  /** Opens what `config` lists and `present` does not have. Closes what it opened when one fails. */
  async #listen(config: ResolvedServer, generation: GenerationRef, present: readonly Listed[]): Promise<Listed[]> {
    const listed: Listed[] = []
    try {
      for (const entry of config.listen) {
        const key = JSON.stringify(entry)
        const kept = present.find((other) => other.key === key && !listed.includes(other))
        if (kept !== undefined) {
          listed.push(kept)
          continue
        }
        const listener = await this.#acceptor.listen(entry, generation)
        const { address, join } = listener
        const listening = { transport: entry.transport, ...address, ...(join === undefined ? {} : { join }) }
        listed.push({ key, listener, listening })
        this.#state.log.info({ transport: entry.transport, ...listener.address }, 'listening')
      }
      return listed
    } catch (error) {
      await Promise.all(listed.filter((one) => !present.includes(one)).map(({ listener }) => listener.close()))
      throw error
    }
  }

  /**
   * Puts another configuration in place of the present one: checked as a whole first. On any error everything stays as
   * it was. What did not change keeps its listeners, sessions and streams.
   */
  reload(config: RystraConfig): Promise<ReloadContext> {
    const done = this.#reloads.then(() => this.#reload(config))
    this.#reloads = done.catch(() => {})
    return done
  }

  async #reload(config: RystraConfig): Promise<ReloadContext> {
    // Half a configuration would silently be all defaults: other listeners, other limits, no extension.
    if (this.#hasServer && config.server === undefined) {
      const detail = 'server: expected the whole configuration, as createServer takes it, got nothing'
      throw new RystraError('config.invalid', { detail })
    }
    const base = baseOf(config, this.#options)
    const uses = await usesOf(config, this.#options)
    let opened: Listed[] = []
    const present = this.#listeners
    const report = await this.kernel.reload(uses, async (generation) => {
      const next = serverHalf(base, generation)
      opened = await this.#listen(next, generation, present)
      // Nothing can fail any more: a caller that sees the new generation sees its configuration as well.
      this.#state.config = next
    })
    if (this.#stopping !== undefined) {
      // The stop has closed those before, and has not seen these.
      await Promise.all(opened.map(({ listener }) => listener.close()))
      return report
    }
    this.#listeners = opened
    await Promise.all(present.filter((one) => !opened.includes(one)).map(({ listener }) => listener.close()))
    this.#reviewProxies()
    for (const one of opened) if (!present.includes(one)) this.emit('listening', one.listening)
    return report
  }

  /** After a reload: takes back what is no longer allowed, or has another kind or place now. The client asks again. */
  #reviewProxies(): void {
    for (const session of this.#acceptor.sessions.values()) {
      session.reviewVisits(this.kernel.current.registries)
      for (const proxy of [...session.proxies.values()]) {
        const error = proxy.review(this.kernel.current.registries.proxies, this.#state.config.publish)
        if (error !== undefined) session.takeBack(proxy.spec.name, 'reload', error)
      }
    }
  }

  /**
   * Stops accepting, tells the clients, waits until open streams are done or `drain` milliseconds are over (default
   * `server.drain`), then stops the extensions. Safe to call more than once.
   */
  stop({ drain = this.#state.config.drain }: { drain?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(drain)
    return this.#stopping
  }

  async #stop(drain: number): Promise<void> {
    const { clock, log } = this.#state
    const { sessions } = this.#acceptor
    this.#acceptor.close()
    await Promise.all(this.#listeners.splice(0).map(({ listener }) => listener.close()))
    const error = new RystraError('session.closing', { side: 'server' })
    await Promise.all([...sessions.values()].map((session) => session.retire(drain, 'shutdown', error)))
    if (this.streams > 0 && drain > 0) log.info({ streams: this.streams, deadline: drain }, 'waiting for open streams')
    await drained(() => this.streams, drain, clock)
    await Promise.all(
      [...sessions.values()].map((session) => {
        session.close()
        return orElse(session.over, CLOSE_TIMEOUT_MS, () => session.destroy(), clock)
      })
    )
    await this.kernel.stop()
  }
}

/** Milliseconds a client has to take the end of its session in good order. */
const CLOSE_TIMEOUT_MS = 500

const baseOf = (config: RystraConfig, { dir }: ServerOptions): ResolvedConfig =>
  validateBase({ ...config, server: config.server ?? {} }, dir === undefined ? {} : { dir })

/** The half that a server needs, checked against what is registered. */
const serverHalf = (base: ResolvedConfig, { registries }: GenerationRef): ResolvedServer =>
  validateWith(base, registries, 'server').server as ResolvedServer

const usesOf = (
  { extensions = [] }: RystraConfig,
  { dir = process.cwd(), resolve, preset }: ServerOptions
): Promise<KernelUse[]> => loadWithPreset(extensions, resolve === undefined ? { dir } : { dir, resolve }, preset)

/**
 * Makes a server: checks the configuration, loads the extensions and sets them up. Nothing listens before
 * {@link Server.start}. Rejects with `config.*`, `extension.*` or `registry.*`.
 */
export const createServer = async (config: RystraConfig, options: ServerOptions = {}): Promise<Server> => {
  const base = baseOf(config, options)
  const uses = await usesOf(config, options)
  const ports = new SharedPorts(options.log === undefined ? {} : { log: options.log })
  const runtime = new ServerRuntime()
  const kernel = new Kernel({
    side: 'server',
    ports,
    runtime,
    ...(options.dir === undefined ? {} : { dir: options.dir }),
    ...(options.stateDir === undefined ? {} : { stateDir: options.stateDir }),
    ...(options.log === undefined ? {} : { log: options.log }),
    ...(options.clock === undefined ? {} : { clock: options.clock })
  })
  await kernel.provision(uses)
  try {
    return new Server(serverHalf(base, kernel.current), kernel, ports, runtime, options, config.server !== undefined)
  } catch (error) {
    await kernel.stop()
    throw error
  }
}
