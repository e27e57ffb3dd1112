import { hostPort } from '@rystra/address'
import { background, type AdminRoutes, type ExtensionContext, isRystraError, RystraError } from '@rystra/plugin'
import { openServerTls, type ServerTls } from '@rystra/tls'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Api, ApiContext } from './context.js'
import { EventHub } from './event-hub.js'
import { Forwarded } from './forwarded.js'
import { Front } from './front.js'
import { Gate } from './gate.js'
import { keptToken, keptTokenFile } from './kept-token.js'
import type { AdminOptions, ListenEntry, TokenEntry } from './options.js'
import { adminSocketPath } from './socket-path.js'
import { Tokens } from './tokens.js'
import { listenUnix } from './unix-socket.js'
import { version } from './version.js'

type Context = Pick<
  ExtensionContext<AdminOptions>,
  'options' | 'log' | 'role' | 'dir' | 'stateDir' | 'clock' | 'metrics' | 'ports' | 'runtime' | 'registries'
>

/** Milliseconds between two tries to make the unix socket, where another process has it. */
const SOCKET_RETRY_MS = 500

/** Milliseconds until a missing socket is logged: a start that fails for another reason says that alone. */
const STARTED_AFTER_MS = 1000

/** A server and a client of one machine may have one configuration, and so one address. */
const sharedConfiguration = (error: unknown): never => {
  if (!isRystraError(error) || error.code !== 'listen.in-use') throw error
  const { code, detail = '', side } = error
  const hint = `${error.hint}; if the other end of this configuration has it, give this entry of \`listen\` the \`side\` that it is for`
  throw new RystraError(code, { detail, hint, ...(side === undefined ? {} : { side }), cause: error })
}

/** The listeners of the API. The API itself is made with the first request. */
export class AdminServer {
  readonly #context: Context
  readonly #hub: EventHub
  readonly #forwarded: Forwarded
  readonly #closers: (() => Promise<void> | void)[] = []
  #api: Promise<Api> | undefined
  /** The routes of extensions that the API was made with. */
  #routes: readonly AdminRoutes[] = []
  #gate: Gate | undefined
  #draining = false
  #serves = false
  #stopping: Promise<void> | undefined
  #closeUnix: (() => Promise<void>) | undefined

  constructor(context: Context) {
    this.#context = context
    const { runtime, log, clock, options, registries } = context
    this.#forwarded = new Forwarded(runtime)
    this.#hub = new EventHub(runtime, log, clock, options.readers, registries.proxies)
  }

  /** Rejects with `listen.*`, `tls.files` or `file.failed`. */
  async start(): Promise<void> {
    const { options, clock, runtime } = this.#context
    const { listen, hosts, socket } = options
    this.#serves = true
    const tokens = new Tokens(await this.#tokens())
    const names = [...hosts, ...listen.map(({ host }) => host)]
    this.#gate = new Gate({ tokens, hosts: names, now: () => clock.now() })
    this.#closers.push(
      runtime.events.subscribe((event) => {
        if (event.type === 'drain.started') this.drain()
        // The process after this one makes its own in the same place.
        if (event.type === 'upgrade.done') void this.#closeUnix?.().catch(() => {})
        if (event.type !== 'reload.done') return
        const { added, removed } = event.report
        // Gone without a successor.
        if (removed.includes('admin-http') && !added.includes('admin-http')) void this.stop().catch(() => {})
      })
    )
    if (options.forwarded) this.#closers.push(this.#forwarded.serve(() => this.#current()))
    for (const entry of listen) await this.#listenTcp(entry)
    if (socket) await this.#listenUnix(this.#front('unix', undefined))
  }

  /** From now on it is not ready. */
  drain(): void {
    this.#draining = true
  }

  /** Starts again, if it has stopped. Rejects as {@link start} does. */
  async resume(): Promise<void> {
    await this.#stopping
    if (!this.#serves) await this.start()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#end().finally(() => {
      this.#stopping = undefined
    })
    return this.#stopping
  }

  async #end(): Promise<void> {
    this.#serves = false
    this.#hub.close()
    const closers = this.#closers.splice(0).reverse()
    for (const close of closers) await close()
    const api = this.#api
    this.#api = undefined
    await api?.then((made) => made.close()).catch(() => {})
  }

  async #tokens(): Promise<readonly TokenEntry[]> {
    const { options, stateDir, log } = this.#context
    if (options.tokens.length > 0 || options.listen.length === 0) return options.tokens
    const token = await keptToken(stateDir)
    log.info({ file: keptTokenFile(stateDir) }, 'the token of the admin API is in this file')
    return [{ name: 'kept', token, scope: 'admin' }]
  }

  async #listenTcp({ host, port, tls: fields }: ListenEntry): Promise<void> {
    const { dir, stateDir, log, clock, ports } = this.#context
    const tls = fields === undefined ? undefined : await openServerTls(fields, { dir, stateDir, log, clock })
    if (tls !== undefined) this.#closers.push(() => tls.close())
    const front = this.#front('tcp', tls)
    const entry = {
      host,
      port,
      owner: 'admin-http',
      exclusive: true,
      recognises: () => true,
      onSocket: (socket: Socket) => front.accept(socket)
    }
    const listener = await ports.listenTcp(entry, new AbortController().signal).catch(sharedConfiguration)
    this.#closers.push(() => listener.close())
    const { address } = listener
    const url = `${tls === undefined ? 'http' : 'https'}://${hostPort(address.host, address.port)}/`
    log.info({ url }, 'admin API and dashboard')
  }

  /** @param isReported Whether the log has a line about the missing socket */
  async #listenUnix(front: Front, isReported = false): Promise<void> {
    const { options, stateDir, role, log, runtime, ports } = this.#context
    const file = adminSocketPath(stateDir, options.socketName ?? role)
    try {
      const close = await listenUnix(runtime, file, log, (socket) => front.accept(socket))
      if (!this.#serves) return await close()
      this.#closeUnix = close
      this.#closers.push(close)
      log.debug({ file }, 'admin API')
    } catch (error) {
      if (options.requireSocket) throw error
      const isInUse = isRystraError(error) && error.code === 'listen.in-use'
      const found = isInUse ? 'find another process with this state folder' : 'cannot find this process'
      const text = `there is no admin socket: commands such as \`rystra status\` ${found}`
      // The process that this one takes over from removes its socket when this one serves.
      const isExpected = isInUse && ports.returning !== undefined
      if (!isReported && !isExpected) this.#onceStarted(() => log.warn({ err: error }, text))
      if (isInUse && this.#serves) this.#listenLater(front, isReported || !isExpected)
    }
  }

  /** The process that has it may end. */
  #listenLater(front: Front, isReported: boolean): void {
    this.#later(SOCKET_RETRY_MS, () =>
      background(this.#listenUnix(front, isReported), this.#context.log, 'the admin socket could not be made')
    )
  }

  /** A server that has started listens; a client has after a while. */
  #onceStarted(run: () => void): void {
    let pending = true
    const once = (): void => {
      if (pending) run()
      pending = false
    }
    const { runtime } = this.#context
    this.#closers.push(runtime.events.subscribe(({ type }) => type === 'listener.opened' && once()))
    this.#later(STARTED_AFTER_MS, once)
  }

  /** Not after a stop. */
  #later(ms: number, run: () => void): void {
    const cancel = this.#context.clock.after(ms, () => {
      this.#closers.splice(this.#closers.indexOf(cancel), 1)
      run()
    })
    this.#closers.push(cancel)
  }

  #front(kind: 'unix' | 'tcp', tls: ServerTls | undefined): Front {
    const front = new Front({
      kind,
      ...(tls === undefined ? {} : { tls }),
      connections: this.#context.options.connections,
      handle: (request, response) =>
        background(this.#handle(request, response), this.#context.log, 'a request of the admin API failed')
    })
    this.#closers.push(() => front.close())
    return front
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const api = await this.#current()
      api.routing(request, response)
    } catch (error) {
      this.#context.log.error({ err: error }, 'the admin API cannot be made')
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end()
    }
  }

  /** Made anew when a reload has changed the routes of extensions: a running API takes no more routes. */
  #current(): Promise<Api> {
    const routes = this.#extensionRoutes()
    const same = routes.length === this.#routes.length && routes.every((one, index) => one === this.#routes[index])
    if (this.#api !== undefined && same) return this.#api
    this.#routes = routes
    const made = this.#make(routes)
    made.catch(() => {
      // The next request tries again.
      if (this.#api === made) this.#api = undefined
    })
    this.#api = made
    return made
  }

  /** An extension whose routes are invalid goes without them; all else is served. */
  async #make(routes: readonly AdminRoutes[]): Promise<Api> {
    const { createApi } = await import('./app.js')
    try {
      return await createApi(this.#apiContext(routes))
    } catch (error) {
      if (routes.length === 0) throw error
    }
    const valid: AdminRoutes[] = []
    for (const one of routes) {
      try {
        const tried = await createApi(this.#apiContext([...valid, one]))
        await tried.close()
        valid.push(one)
      } catch (err) {
        this.#context.log.error(
          { err, routes: one.name },
          'the admin API has no routes of an extension: its registration failed'
        )
      }
    }
    return createApi(this.#apiContext(valid))
  }

  #extensionRoutes(): readonly AdminRoutes[] {
    const { adminRoutes } = this.#context.registries
    return adminRoutes.list().map((name) => adminRoutes.get(name))
  }

  #apiContext(routes: readonly AdminRoutes[]): ApiContext {
    const { runtime, clock, log, metrics } = this.#context
    return {
      runtime,
      gate: this.#gate as Gate,
      forwarded: this.#forwarded,
      hub: this.#hub,
      kinds: this.#context.registries.proxies,
      clock,
      log,
      metrics,
      version,
      draining: () => this.#draining,
      extensionRoutes: () => routes
    }
  }
}
