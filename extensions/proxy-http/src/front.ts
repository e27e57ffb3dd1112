import { visitorOf } from '@rystra/address'
import type { HandedOver } from '@rystra/net'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionInfo } from './connection-info.js'
import { H1Front } from './h1-front.js'
import { H2Front } from './h2-front.js'
import { beginsHttp2 } from './preface.js'
import { Problem } from './problem.js'
import { AddressCounts, RequestLimits } from './request-limits.js'
import type { World } from './world.js'

/** Milliseconds at a stop for requests that are on their way on connections that are kept. */
const LAST_REQUESTS_MS = 50

/** Accepts connections of visitors, and finds out which version of HTTP they use. */
export class Front {
  readonly #world: World
  readonly #h1: H1Front
  readonly #h2: H2Front | undefined
  readonly #connections = new Set<Duplex>()
  readonly #addresses = new AddressCounts()
  #onEmpty: (() => void) | undefined

  constructor(world: Omit<World, 'limits'>) {
    this.#world = { ...world, limits: new RequestLimits(world.options) }
    this.#h1 = new H1Front(this.#world)
    this.#h2 = world.options.http2 ? new H2Front(this.#world) : undefined
  }

  /** A connection that has just come in. */
  accept(socket: Socket): void {
    this.#begin(socket, { visitor: visitorOf(socket), secure: false, serverName: undefined })
  }

  /** A connection that another kind has prepared. */
  take(socket: Duplex, { visitor, secure, serverName, alpn }: HandedOver): void {
    this.#begin(socket, { visitor, secure, serverName }, alpn)
  }

  #begin(socket: Duplex, connection: ConnectionInfo, alpn?: string): void {
    socket.on('error', () => {})
    const h2 = this.#h2
    const problem = this.#admit(socket, connection)
    if (problem !== undefined) {
      if (alpn === 'h2') socket.destroy()
      else this.#h1.refuse(socket, problem)
    } else if (h2 === undefined || alpn === 'http/1.1') this.#h1.accept(socket, connection)
    else if (alpn === 'h2') h2.accept(socket, connection)
    else {
      beginsHttp2(socket, this.#world.options.headTimeout, (isH2) => (isH2 ? h2 : this.#h1).accept(socket, connection))
    }
  }

  /** Counts a connection, or says why there is no place for it. */
  #admit(socket: Duplex, { visitor }: ConnectionInfo): Problem | undefined {
    const { options, trusted } = this.#world
    const { maxConnections, maxConnectionsPerAddress } = options
    if (this.#connections.size >= maxConnections) return new Problem(503, 'too many connections', undefined, 1)
    const max = trusted.has(visitor.host) ? Number.POSITIVE_INFINITY : maxConnectionsPerAddress
    const release = this.#addresses.add(visitor.host, max)
    if (release === undefined) return new Problem(429, 'too many connections from this address', undefined, 1)
    this.#connections.add(socket)
    socket.once('close', () => {
      release()
      this.#connections.delete(socket)
      if (this.#connections.size === 0) this.#onEmpty?.()
    })
    return undefined
  }

  /** Another front accepts visitors from now on: those that are connected are told to connect again. */
  retire(): void {
    this.#h1.retire()
    this.#h2?.retire()
  }

  /** Another process accepts visitors from now on: those that are connected are told to connect again, and idle ones are closed. */
  drain(): void {
    this.#h1.drain()
    this.#h2?.retire()
  }

  /** Closes with the last connection, and calls `then`. */
  whenEmpty(then: () => void): void {
    this.#onEmpty = () => {
      this.close()
      then()
    }
    if (this.#connections.size === 0) this.#onEmpty()
  }

  /** No visitor comes in any more: requests that are on their way are answered, and end their connections. */
  async finish(): Promise<void> {
    this.retire()
    if (this.#connections.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LAST_REQUESTS_MS)
      this.#onEmpty = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** Breaks off what is left. */
  close(): void {
    this.#onEmpty = undefined
    this.#h1.close()
    for (const connection of this.#connections) connection.destroy()
    this.#h2?.close()
  }
}
