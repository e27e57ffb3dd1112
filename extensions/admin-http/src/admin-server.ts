import { hostPort } from '@rystra/address'
import { SharedPorts } from '@rystra/net'
import { type AdminRoutes, type ExtensionContext, isRystraError } from '@rystra/plugin'
import { openServerTls, type ServerTls } from '@rystra/tls'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Api, ApiContext } from './context.js'
import { EventHub } from './event-hub.js'
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
  'options' | 'log' | 'role' | 'dir' | 'stateDir' | 'clock' | 'metrics' | 'runtime' | 'registries'
>

/** TCP listeners of this process: an instance and its successor hold one address while a reload is under way. */
const ports = new SharedPorts()

/** The listeners of the API. The API itself is made with the first request. */
export class AdminServer {
  readonly #context: Context
  readonly #hub: EventHub
  readonly #closers: (() => Promise<void> | void)[] = []
  #api: Promise<Api> | undefined
  /** The routes of extensions that the API was made with. */
  #routes: readonly AdminRoutes[] = []
  #gate: Gate | undefined
  #draining = false

  constructor(context: Context) {
    this.#context = context
    const { runtime, log, clock, options } = context
    this.#hub = new EventHub(runtime, log, clock, options.readers)
  }

  /** Rejects with `listen.*`, `tls.files` or `file.failed`. */
  async start(): Promise<void> {
    const { options, clock, runtime } = this.#context
    const { listen, hosts, socket } = options
    const tokens = new Tokens(await this.#tokens())
    const names = [...hosts, ...listen.map(({ host }) => host)]
    this.#gate = new Gate({ tokens, hosts: names, now: () => clock.now() })
    this.#closers.push(
      runtime.events.subscribe(({ type }) => {
        if (type === 'drain.started') this.drain()
      })
    )
    for (const entry of listen) await this.#listenTcp(entry)
    if (socket) await this.#listenUnix()
  }

  /** From now on it is not ready. */
  drain(): void {
    this.#draining = true
  }

  async stop(): Promise<void> {
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
    const { dir, stateDir, log, clock } = this.#context
    const tls = fields === undefined ? undefined : await openServerTls(fields, { dir, stateDir, log, clock })
    if (tls !== undefined) this.#closers.push(() => tls.close())
    const front = this.#front('tcp', tls)
    const listener = await ports.listenTcp(
      { host, port, owner: 'admin-http', recognises: () => true, onSocket: (socket) => front.accept(socket) },
      new AbortController().signal
    )
    this.#closers.push(() => listener.close())
    const { address } = listener
    const url = `${tls === undefined ? 'http' : 'https'}://${hostPort(address.host, address.port)}/`
    log.info({ url }, 'admin API and dashboard')
  }

  async #listenUnix(): Promise<void> {
    const { options, stateDir, role, log } = this.#context
    const front = this.#front('unix', undefined)
    const file = adminSocketPath(stateDir, role)
    try {
      this.#closers.push(await listenUnix(file, (socket) => front.accept(socket)))
      log.debug({ file }, 'admin API')
    } catch (error) {
      if (options.requireSocket) throw error
      const inUse = isRystraError(error) && error.code === 'listen.in-use'
      const text = 'there is no admin socket: commands such as `rystra status` cannot find this process'
      log[inUse ? 'info' : 'warn']({ err: error }, text)
    }
  }

  #front(kind: 'unix' | 'tcp', tls: ServerTls | undefined): Front {
    const front = new Front({
      kind,
      ...(tls === undefined ? {} : { tls }),
      connections: this.#context.options.connections,
      handle: (request, response) => void this.#handle(request, response)
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
      response.writeHead(500).end()
    }
  }

  /** Made anew when a reload has changed the routes of extensions: a running API takes no more routes. */
  #current(): Promise<Api> {
    const routes = this.#extensionRoutes()
    const same = routes.length === this.#routes.length && routes.every((one, index) => one === this.#routes[index])
    if (this.#api !== undefined && same) return this.#api
    this.#routes = routes
    const made = import('./app.js').then(({ createApi }) => createApi(this.#apiContext()))
    made.catch(() => {
      // The next request tries again.
      if (this.#api === made) this.#api = undefined
    })
    this.#api = made
    return made
  }

  #extensionRoutes(): readonly AdminRoutes[] {
    const { adminRoutes } = this.#context.registries
    return adminRoutes.list().map((name) => adminRoutes.get(name))
  }

  #apiContext(): ApiContext {
    const { runtime, clock, log, metrics } = this.#context
    return {
      runtime,
      gate: this.#gate as Gate,
      hub: this.#hub,
      clock,
      log,
      metrics,
      version,
      draining: () => this.#draining,
      extensionRoutes: () => this.#routes
    }
  }
}
