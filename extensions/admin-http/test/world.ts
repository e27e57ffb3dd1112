import {
  type AdminRoutes,
  emptyRuntime,
  type ExplainOptions,
  type Explanation,
  type Logger,
  type Metrics,
  type ProxyHandle,
  type Runtime,
  type RuntimeControl,
  type RuntimeEvent,
  type RystraError,
  type SessionHandle,
  type SessionInfo,
  type StreamHandle,
  Type
} from '@rystra/plugin'
import { SharedPorts } from '@rystra/net'
import { FakeClock, resolveOptions } from '@rystra/testkit'
import { mkdtempSync, rmSync } from 'node:fs'
import http, { type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { AdminServer } from '../src/admin-server.js'
import adminHttp, { type AdminOptions } from '../src/index.js'
import { adminSocketPath } from '../src/socket-path.js'

export const session = (id: string, client = id): SessionInfo => ({
  id,
  identity: { id: 'home' },
  client: { id: client, instance: 'i', agent: 'rystra/0.1.0' },
  peer: {
    address: '198.51.100.7',
    port: 4000,
    tls: { version: 'TLSv1.3', cipher: 'c', certificate: new Uint8Array(9) }
  },
  transport: 'tls',
  muxer: 'yamux',
  since: 1000
})

const numbers = { streams: 1, opened: 2, carriers: 0, bytesToService: 10, bytesToVisitor: 20, refused: {} }
const traffic = { ...numbers, connectTimes: { count: 1, sum: 5, last: 5 } }

/** A runtime of values: what was closed is recorded. */
export class FakeRuntime implements Runtime {
  readonly side = 'server'
  readonly list = { sessions: [] as SessionHandle[], proxies: [] as ProxyHandle[], streams: [] as StreamHandle[] }
  readonly closed: { id: string; error: RystraError | undefined }[] = []
  readonly kept: RuntimeEvent[] = []
  readonly explained: { target: string; options: ExplainOptions }[] = []
  readonly subscribers = new Set<(event: RuntimeEvent) => void>()
  /** Events before the first kept one are gone. */
  readonly firstKept = 3
  readonly control: RuntimeControl
  readonly #empty = emptyRuntime('server')

  constructor(control: Partial<RuntimeControl> = {}) {
    this.control = { ...this.#empty.control, revision: 'r1', ...control }
    this.addSession('s1')
  }

  addSession(id: string): SessionInfo {
    const info = session(id)
    const close = (error?: RystraError): void => void this.closed.push({ id, error })
    this.list.sessions.push({ id, info, stats: () => ({ ...traffic, proxies: 1, channels: 0, rtt: 12 }), close })
    return info
  }

  addProxy(info: SessionInfo, name: string): void {
    const id = `${info.id}.${name}`
    const spec = { name, kind: 'tcp', local: '127.0.0.1:80', basicAuth: [{ user: 'a', hash: 'hidden' }] }
    const close = (error?: RystraError): void => void this.closed.push({ id, error })
    this.list.proxies.push({
      id,
      info: { spec, state: 'published', session: info, address: '0.0.0.0:8000', healthy: true },
      stats: () => traffic,
      close
    })
  }

  addStreams(info: SessionInfo, count: number): void {
    for (let index = 0; index < count; index += 1) {
      const id = `${info.id}.${index}`
      this.list.streams.push({
        id,
        info: {
          id: String(index),
          proxy: { name: index % 2 === 0 ? 'web' : 'ssh', kind: 'tcp' },
          visitor: { host: '203.0.113.1', port: index + 1, to: { host: '0.0.0.0', port: 8000 } },
          session: info,
          side: 'server'
        },
        stats: () => ({
          openedAt: 1000 + Math.floor(index / 3),
          paused: false,
          bytesToService: index,
          bytesToVisitor: 1
        }),
        close: (error?: RystraError) => void this.closed.push({ id, error })
      })
    }
  }

  sessions = (): SessionHandle[] => this.list.sessions
  proxies = (): ProxyHandle[] => this.list.proxies
  streams = (): StreamHandle[] => this.list.streams
  listeners = (): ReturnType<Runtime['listeners']> => [
    {
      id: 'tls://0.0.0.0:7000',
      info: { transport: 'tls', host: '0.0.0.0', port: 7000, since: 1 },
      stats: () => ({ accepted: 3, open: 1, refused: { 'auth.refused': 2 } })
    }
  ]
  extensions = (): ReturnType<Runtime['extensions']> => []
  certificates = (): ReturnType<Runtime['certificates']> => [
    { host: 'app.example.org', source: 'acme', state: 'valid', expires: 2000, next: 1000 }
  ]
  session = (id: string): SessionHandle | undefined => this.list.sessions.find((one) => one.id === id)
  proxy = (id: string): ProxyHandle | undefined => this.list.proxies.find((one) => one.id === id)
  stream = (id: string): StreamHandle | undefined => this.list.streams.find((one) => one.id === id)
  stats = (): ReturnType<Runtime['stats']> => ({
    ...traffic,
    since: 1,
    sessions: this.list.sessions.length,
    sessionsOpened: 1,
    proxies: 0,
    generation: 1,
    refused: { 'auth.refused': 2 }
  })

  explain = (target: string, options: ExplainOptions = {}): Promise<Explanation> => {
    this.explained.push({ target, options })
    return this.#empty.explain(target, options)
  }

  readonly events: Runtime['events'] = {
    run: 'run1',
    report: () => {},
    sequence: 3,
    since: (sequence) =>
      sequence < this.firstKept ? undefined : this.kept.filter((event) => event.sequence > sequence),
    subscribe: (listener) => {
      this.subscribers.add(listener)
      return () => this.subscribers.delete(listener)
    }
  }

  happen(event: Omit<RuntimeEvent, 'sequence' | 'time'>): void {
    const sequence = this.events.sequence + 1
    Object.assign(this.events, { sequence })
    const whole = { ...event, sequence, time: 1 } as RuntimeEvent
    this.kept.push(whole)
    for (const subscriber of this.subscribers) subscriber(whole)
  }
}

const ports = new WeakMap<Runtime, SharedPorts>()

/** The same for all instances of one end. */
export const portsOf = (runtime: Runtime): SharedPorts => {
  const made = ports.get(runtime) ?? new SharedPorts()
  ports.set(runtime, made)
  return made
}

export const tokens = {
  read: 'read-token-0123456789',
  operate: 'operate-token-0123456789',
  admin: 'admin-token-0123456789'
} as const

export interface Answer {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: JSON of any shape
  readonly json: any
}

export interface Call {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: unknown
  readonly token?: string
  /** Over the unix socket. */
  readonly unix?: boolean
}

/** An admin API with a runtime of values. */
export class World {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'rystra-admin-'))
  readonly clock = new FakeClock()
  readonly lines: { level: string; fields: Record<string, unknown>; message: string }[] = []
  readonly runtime: FakeRuntime
  readonly server: AdminServer
  routes: AdminRoutes[] = []
  #agent = new http.Agent({ keepAlive: false })

  constructor(
    runtime = new FakeRuntime(),
    options: Partial<AdminOptions> = {},
    readonly stateDir?: string
  ) {
    this.runtime = runtime
    const line =
      (level: string) =>
      (...args: [string] | [object, string]): void =>
        void this.lines.push({
          level,
          fields: (args.length === 2 ? args[0] : {}) as Record<string, unknown>,
          message: String(args.at(-1))
        })
    const log = Object.fromEntries(['trace', 'debug', 'info', 'warn', 'error'].map((level) => [level, line(level)]))
    const given = {
      listen: [{ host: '127.0.0.1', port: 0 }],
      tokens: [
        { name: 'reader', token: tokens.read, scope: 'read' },
        { name: 'operator', token: tokens.operate, scope: 'operate' },
        { name: 'chief', token: tokens.admin, scope: 'admin' }
      ],
      ...options
    } as AdminOptions
    this.server = new AdminServer({
      options: resolveOptions(adminHttp(given)) as AdminOptions,
      log: { ...log, child: () => log } as unknown as Logger,
      role: 'server',
      dir: this.folder,
      stateDir: this.state,
      clock: this.clock,
      metrics: {
        ...({} as Metrics),
        snapshot: () => [{ name: 'a_total', type: 'counter', help: 'A', values: [{ labels: { b: 'c' }, value: 1 }] }]
      },
      ports: portsOf(runtime),
      runtime,
      registries: {
        proxies: {
          has: (kind: string) => kind === 'tcp',
          get: () => ({
            spec: Type.Object({ basicAuth: Type.Array(Type.Object({ hash: Type.String({ secret: true }) })) })
          })
        },
        adminRoutes: {
          list: () => this.routes.map(({ name }) => name),
          get: (name: string) => this.routes.find((one) => one.name === name),
          has: () => true,
          add: () => {}
        }
      } as never
    })
  }

  get state(): string {
    return this.stateDir ?? path.join(this.folder, '.rystra')
  }

  get socket(): string {
    return adminSocketPath(this.state, 'server')
  }

  /** Of the first TCP listener. */
  get port(): number {
    const url = this.lines.find(({ fields }) => 'url' in fields)?.fields['url'] as string
    return Number(new URL(url).port)
  }

  start(): Promise<void> {
    return this.server.start()
  }

  async stop(): Promise<void> {
    await this.server.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  open(path: string, { method = 'GET', headers = {}, body, token, unix = false }: Call = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const to = unix ? { socketPath: this.socket } : { host: '127.0.0.1', port: this.port }
      const request = http.request({
        ...to,
        method,
        path,
        agent: this.#agent,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...headers
        }
      })
      request.on('response', resolve)
      request.on('error', reject)
      request.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
    })
  }

  async call(path: string, call: Call = {}): Promise<Answer> {
    const response = await this.open(path, call)
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const isJson = /json/.test(response.headers['content-type'] ?? '')
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: isJson && text !== '' ? JSON.parse(text) : undefined
    }
  }
}

/** Runs a case with a started API. */
export const withWorld =
  (run: (world: World) => Promise<void>, make: () => World = () => new World()) =>
  async (): Promise<void> => {
    const world = make()
    try {
      await world.start()
      await run(world)
    } finally {
      await world.stop()
    }
  }
