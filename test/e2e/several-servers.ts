import authToken from '@rystra/auth-token'
import { type Client, type ClientOptions, createClient } from '@rystra/client'
import muxYamux from '@rystra/mux-yamux'
import {
  defineExtension,
  type DialOptions,
  type Extension,
  type Link,
  type Logger,
  RystraError,
  Type
} from '@rystra/plugin'
import { createServer, type Server } from '@rystra/server'
import { MemoryNetwork, MemoryServices } from '@rystra/testkit'
import type { Duplex } from 'node:stream'
import { otherToken, token } from './tunnel.js'

/** A server of {@link Servers}. */
export interface OneServer {
  readonly server: Server
  readonly network: MemoryNetwork
  readonly services: MemoryServices
}

type Extensions = readonly (Extension<never> | ReturnType<Extension>)[]

export const hello = (stream: Duplex): void => void stream.end('hello')
export const echo = (stream: Duplex): void => void stream.on('error', () => {}).pipe(stream)

/** Host of the address of a session. */
export const hostOf = (server: string | undefined): string => server?.split(':')[0] ?? ''

/** Several servers within the process, each on a network of its own so that one of them can be lost, and their clients. */
export class Servers {
  readonly #servers = new Map<string, OneServer>()
  readonly #lost = new Set<string>()
  /** Further names of servers. */
  readonly aliases = new Map<string, string>()
  /** Hosts that were dialed, in their order. */
  readonly dialed: string[] = []
  /** What a dial waits for. */
  before: ((host: string) => Promise<void> | undefined) | undefined
  readonly #ends: (() => Promise<unknown>)[] = []

  /** @param host Its name at port 7000 */
  async add(host: string, server: object = {}, extensions: Extensions = [], log?: Logger): Promise<OneServer> {
    const network = new MemoryNetwork()
    const services = new MemoryServices()
    const transport = defineExtension({
      name: 'transport-memory',
      setup: ({ registries }) => registries.transports.add(network)
    }) as Extension
    const tokens = [
      { identity: 'home', token },
      { identity: 'office', token: otherToken }
    ]
    const made = await createServer(
      {
        extensions: [transport, services.extension, muxYamux(), authToken({ tokens }), ...extensions],
        server: { listen: [{ transport: 'memory', host: '0.0.0.0', port: 7000 }], ...server }
      } as never,
      log === undefined ? {} : { log }
    )
    await made.start()
    const one = { server: made, network, services }
    this.#servers.set(host, one)
    this.#lost.delete(host)
    this.#ends.push(() => made.stop({ drain: 0 }))
    return one
  }

  get(host: string): OneServer {
    const one = this.#servers.get(this.aliases.get(host) ?? host)
    if (one === undefined) throw new Error(`no server ${host}`)
    return one
  }

  /** Comes to a proxy of a server as a visitor. */
  visit(host: string, proxy: string): Duplex {
    // What is open at the end of a test is reset.
    return this.get(host)
      .services.visit(proxy)
      .on('error', () => {})
  }

  /** Its links are reset and it cannot be dialed, as when its machine is gone. */
  lose(host: string): void {
    this.#lost.add(host)
    this.get(host).network.cut()
  }

  find(host: string): void {
    this.#lost.delete(host)
  }

  /** A client of these; services by name, each published as a proxy of the kind `memory`. */
  async client(
    connect: object,
    {
      services = {},
      options = {},
      extensions = [],
      own = token,
      ...client
    }: {
      services?: Readonly<Record<string, (stream: Duplex) => void>>
      options?: ClientOptions
      extensions?: Extensions
      own?: string
      [field: string]: unknown
    } = {}
  ): Promise<Client> {
    const made = await createClient(this.config(connect, { services, extensions, own, ...client }) as never, options)
    this.#ends.push(() => made.stop({ drain: 0 }))
    return made
  }

  /** The configuration of {@link client}. */
  config(
    connect: object,
    {
      services = {},
      extensions = [],
      own = token,
      ...client
    }: {
      services?: Readonly<Record<string, (stream: Duplex) => void>>
      extensions?: Extensions
      own?: string
      [field: string]: unknown
    } = {}
  ): object {
    const here = new MemoryServices()
    for (const [name, serve] of Object.entries(services)) here.serve(name, serve)
    return {
      extensions: [this.#transport, here.extension, muxYamux(), authToken({ token: own }), ...extensions],
      client: {
        id: 'test',
        // A fail-over that waits would be seen.
        reconnect: { min: 3_600_000, max: 3_600_000 },
        ...client,
        connect: { transport: 'memory', ...connect },
        proxies: Object.keys(services).map((name) => ({ name, kind: 'memory', local: name }))
      }
    }
  }

  get #transport(): Extension {
    return defineExtension({
      name: 'transport-memory',
      setup: ({ registries }) =>
        registries.transports.add({
          name: 'memory',
          dialOptions: Type.Object({
            pin: Type.Optional(Type.String({ description: 'Stands for a pinned certificate.' }))
          }),
          provesServer: ({ pin }) => pin !== undefined,
          listen: () => Promise.reject(new Error('a client')),
          dial: (to, signal) => this.#dial(to, signal)
        })
    }) as Extension
  }

  async #dial(options: DialOptions, signal: AbortSignal): Promise<Link> {
    const { host } = options
    this.dialed.push(host)
    await this.before?.(host)
    signal.throwIfAborted()
    const name = this.aliases.get(host) ?? host
    const one = this.#servers.get(name)
    if (one === undefined || this.#lost.has(name))
      throw new RystraError('connect.unreachable', { side: 'client', detail: host })
    return one.network.dial(options, signal)
  }

  async close(): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end()
  }
}
