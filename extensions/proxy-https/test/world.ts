import type { HandedOver } from '@rystra/net'
import {
  defineExtension,
  type ExtensionUse,
  type ProxyKind,
  type ProxySpec,
  type Published,
  type PublishHost,
  type RystraError,
  silentLog,
  type VisitorInfo
} from '@rystra/plugin'
import { FakeClock, type SetUp, setUpExtension } from '@rystra/testkit'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Duplex, type Duplex as Stream } from 'node:stream'
import tls from 'node:tls'
import proxyHttps from '../src/index.js'

type Options = Record<string, unknown>

/** A visitor of a proxy, as `relay` got it. */
export interface Relayed {
  readonly visitor: net.Socket
  readonly info: VisitorInfo
}

/** The first bytes of a client of TLS. */
export const clientHello = (options: tls.ConnectionOptions): Promise<Buffer> =>
  new Promise((resolve) => {
    const wire = new Duplex({ read() {}, write: (chunk: Buffer) => resolve(chunk) })
    tls.connect({ socket: wire, ...options }).on('error', () => {})
  })

/** All that comes until a socket is over: the bytes, and how it ended. */
export const outcome = (socket: Stream): Promise<{ readonly bytes: Buffer; readonly end: string }> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = []
    const over = (end: string): void => resolve({ bytes: Buffer.concat(chunks), end })
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('end', () => over('end'))
    socket.once('error', (error: NodeJS.ErrnoException) => over(error.code ?? error.message))
    socket.once('close', () => over('close'))
  })

export { until } from '@rystra/testkit'

/** proxy-https beside a kind http that keeps what it is handed. */
export class World {
  readonly clock = new FakeClock(Date.now())
  readonly dir = mkdtempSync(path.join(tmpdir(), 'rystra-https-'))
  readonly handed: { readonly socket: Stream; readonly from: HandedOver }[] = []
  readonly relayed: Relayed[] = []
  readonly logged: { readonly level: string; readonly code: string | undefined; readonly text: string }[] = []
  setUp!: SetUp
  port = 0
  readonly #ends: (() => unknown)[] = []

  later(end: () => unknown): void {
    this.#ends.push(end)
  }

  write(name: string, text: string): string {
    writeFileSync(path.join(this.dir, name), text)
    return name
  }

  /** Both files of a certificate, as an entry has them. */
  pair(name: string, { cert, key }: { cert: string; key: string }): { cert: string; key: string } {
    return { cert: this.write(`${name}.crt`, cert), key: this.write(`${name}.key`, key) }
  }

  use(options: Options): ExtensionUse {
    const http = {
      kind: 'http',
      checkHost: () => {},
      handOver: (socket: Stream, from: HandedOver) => {
        this.later(() => socket.destroy())
        this.handed.push({ socket, from })
      }
    } as unknown as ProxyKind
    const { definition } = proxyHttps
    return defineExtension({
      name: 'both',
      options: definition.options as never,
      setup(context) {
        context.registries.proxies.add(http)
        return definition.setup(context)
      }
    })({ listen: [{ host: '127.0.0.1', port: 0 }], ...options } as never)
  }

  /** Sets it up and starts it on a free port. */
  async start(options: Options = {}): Promise<void> {
    const say =
      (level: string) =>
      (...args: unknown[]): void => {
        const fields = args[0] as { err?: RystraError; address?: { port: number } }
        const text = String(args.at(-1))
        if (text === 'visitors of https are taken') this.port = fields.address?.port ?? 0
        this.logged.push({ level, code: fields.err?.code, text: `${text} ${fields.err?.detail ?? ''}` })
      }
    const log = { ...silentLog, debug: say('debug'), info: say('info'), warn: say('warn') }
    const { clock, dir } = this
    this.setUp = setUpExtension(this.use(options), 'server', { clock, dir, stateDir: path.join(dir, 'state'), log })
    this.later(() => this.setUp.stop())
    await this.setUp.start()
  }

  get kind(): ProxyKind {
    return this.setUp.registered('proxies').find(({ kind }) => kind === 'https') as ProxyKind
  }

  codes(): (string | undefined)[] {
    return this.logged.filter(({ text }) => text.startsWith('a visitor was rejected')).map(({ code }) => code)
  }

  warnings(): string[] {
    return this.logged.filter(({ level }) => level === 'warn').map(({ text }) => text)
  }

  /** Publishes as the framework would; `take` takes it back. */
  async publish(
    spec: Omit<ProxySpec, 'name' | 'kind'>,
    { identity = 'home', ...change }: Partial<PublishHost> & { identity?: string } = {}
  ): Promise<Published & { take(): Promise<void> }> {
    const gone = new AbortController()
    const host = {
      session: { identity: { id: identity } },
      signal: gone.signal,
      claim: async (key: string, value: unknown) => ({ key, size: 1, pick: () => value }),
      relay: (visitor: net.Socket, info: VisitorInfo) => {
        visitor.on('error', () => {})
        this.later(() => visitor.destroy())
        this.relayed.push({ visitor, info })
      },
      ...change
    } as unknown as PublishHost
    const published = await this.kind.publish({ name: 'web', kind: 'https', ...spec } as ProxySpec, host)
    return {
      ...published,
      take: async () => {
        gone.abort()
        await published.close?.()
      }
    }
  }

  async connect(port = this.port): Promise<net.Socket> {
    const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
    socket.on('error', () => {})
    this.later(() => socket.destroy())
    await once(socket, 'connect')
    return socket
  }

  /** A client of TLS whose handshake is done. */
  async secure(options: tls.ConnectionOptions): Promise<tls.TLSSocket> {
    const socket = tls.connect({ host: '127.0.0.1', port: this.port, ...options })
    this.later(() => socket.destroy())
    await once(socket, 'secureConnect')
    socket.on('error', () => {})
    return socket
  }

  /** What a handshake fails with. */
  failure(options: tls.ConnectionOptions): Promise<string> {
    const socket = tls.connect({ host: '127.0.0.1', port: this.port, ...options })
    this.later(() => socket.destroy())
    return new Promise((resolve) => {
      socket.once('secureConnect', () => resolve('none'))
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    })
  }

  async close(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
    rmSync(this.dir, { recursive: true, force: true })
  }
}
