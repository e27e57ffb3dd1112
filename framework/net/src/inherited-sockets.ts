import { plainAddress } from '@rystra/address'
import type { Address } from '@rystra/plugin'
import { type AcceptedHandle, offerHandles } from './accepted-handles.js'
import { listWhileListening } from './listening-servers.js'
import { closeSync } from 'node:fs'
import net from 'node:net'

/** A TCP socket that listens already, and that this process was started with. */
export interface InheritedSocket extends Address {
  readonly fd: number
  /** Of the process that this one replaces: closed with its owner, as if it was bound here. @default false: it is never closed */
  readonly passed?: boolean
  /** The system chose its port: it takes the place of a listener on port 0. @default false */
  readonly chosen?: boolean
}

/** Connections that wait for the next owner of their port, at most: as many as a kernel queues by default. */
const MAX_WAITING = 4096

/** Milliseconds they wait: a client that comes back has registered its proxies by then. */
export const RETURN_TIMEOUT_MS = 10_000

/** Milliseconds for which a passed socket may be without an owner, and a route without its client: longer than clients wait between two dials, by default. */
export const OWNER_TIMEOUT_MS = 60_000

type OnConnection = (socket: net.Socket) => void
type OnHandle = (handle: AcceptedHandle) => boolean

/**
 * One inherited socket. One that a supervisor gave to this process is never closed: the supervisor has it open as well, so that
 * the address could not be bound again. Its connections without an owner wait for the next one.
 */
class InheritedPort {
  readonly socket: InheritedSocket
  readonly server = net.createServer({ allowHalfOpen: true }, (connection) => this.#take(connection))
  readonly #waiting = new Map<net.Socket, NodeJS.Timeout>()
  readonly #onClosed: (port: InheritedPort) => void
  /** Listening begins when it resolves. */
  readonly #begin: Promise<void> | undefined
  #owner: OnConnection | undefined
  #onHandle: OnHandle | undefined
  #paused = false
  /** Whether it is to listen: it does, once it may. */
  #wanted = false
  #closed = false
  #leaving = false

  constructor(
    socket: InheritedSocket,
    begin: Promise<void> | undefined,
    onClosed: (port: InheritedPort) => void = () => {}
  ) {
    this.socket = socket
    this.#begin = begin
    this.#onClosed = onClosed
    listWhileListening(this.server)
    this.server.once('listening', () => offerHandles(this.server, (handle) => this.#onHandle?.(handle) ?? false))
  }

  get taken(): boolean {
    return this.#owner !== undefined
  }

  /** @param paused Whether connections are paused, so that they can wait */
  own(paused: boolean, owner: OnConnection, onHandle?: OnHandle): void {
    this.#owner = owner
    this.#onHandle = onHandle
    this.#paused = paused
    this.server.ref()
    // Read for each connection.
    ;(this.server as { pauseOnConnect?: boolean }).pauseOnConnect = paused
  }

  listen(backlog: number, done: () => void): void {
    const listening = (): void => {
      done()
      for (const [connection, timer] of this.#waiting) {
        clearTimeout(timer)
        this.#owner?.(connection)
      }
      this.#waiting.clear()
    }
    if (this.#wanted) {
      setImmediate(listening)
      return
    }
    this.#wanted = true
    const begin = (then: () => void): void => {
      if (this.#closed) then()
      else this.server.listen({ fd: this.socket.fd, backlog }, then)
    }
    if (this.#begin === undefined) begin(listening)
    else {
      setImmediate(listening)
      const go = (): void => begin(() => {})
      this.#begin.then(go, go)
    }
  }

  /** Connections wait for the next owner, and do not keep the process up; a passed socket is closed. */
  release(): void {
    this.#owner = undefined
    this.#onHandle = undefined
    this.server.unref()
    if (this.socket.passed === true || this.#leaving) this.close()
  }

  /** The process after this one has it: it is closed with its owner, or at once without one. */
  leave(): void {
    this.#leaving = true
    if (!this.taken) this.close()
  }

  /** Connections wait for another process from now on. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    // One that never listened has no handle that would close the descriptor.
    if (this.server.listening) this.server.close()
    else closeSync(this.socket.fd)
    for (const connection of this.#waiting.keys()) connection.resetAndDestroy()
    this.#onClosed(this)
  }

  #take(connection: net.Socket): void {
    if (this.#owner !== undefined) this.#owner(connection)
    else if (this.#paused && this.#waiting.size < MAX_WAITING) this.#hold(connection)
    else connection.resetAndDestroy()
  }

  #hold(connection: net.Socket): void {
    const gone = (): void => {
      clearTimeout(this.#waiting.get(connection))
      this.#waiting.delete(connection)
    }
    const timer = setTimeout(() => {
      gone()
      connection.resetAndDestroy()
    }, RETURN_TIMEOUT_MS)
    this.#waiting.set(connection, timer.unref())
    connection.once('close', gone).on('error', () => {})
  }
}

/** The listening sockets that this process was started with. */
export class InheritedSockets {
  readonly #ports: Set<InheritedPort>

  /** @param begin Listening begins when it resolves. @default at once */
  constructor(sockets: readonly InheritedSocket[] = [], begin?: Promise<void>) {
    this.#ports = new Set(sockets.map((socket) => new InheritedPort(socket, begin, (port) => this.#ports.delete(port))))
    if (!sockets.some(({ passed }) => passed)) return
    const closeUnowned = (): void => {
      for (const port of this.#ports) if (port.socket.passed === true && !port.taken) port.close()
    }
    const wait = (): void => void setTimeout(closeUnowned, OWNER_TIMEOUT_MS).unref()
    ;(begin ?? Promise.resolve()).then(wait, wait)
  }

  /**
   * The one at an address, unless it has an owner; for port 0 one whose port the system chose. One of all IPv6 addresses is one
   * of all IPv4 addresses, too.
   */
  find(host: string, port: number): InheritedPort | undefined {
    const wanted = plainAddress(host)
    for (const one of this.#ports) {
      const { socket, taken } = one
      if (taken || (port === 0 ? socket.chosen !== true : socket.port !== port)) continue
      const at = plainAddress(socket.host)
      if (at === wanted || (at === '::' && wanted === '0.0.0.0')) return one
    }
    return undefined
  }

  /** Whether a passed socket of this port waits for the proxy that had it. */
  awaits(port: number): boolean {
    for (const { socket, taken } of this.#ports) if (socket.passed && !taken && socket.port === port) return true
    return false
  }

  /** The process after this one has them: each is closed with its owner. */
  leave(): void {
    for (const port of this.#ports) port.leave()
  }

  /** Accepts nothing any more: what comes is for the process that has the sockets next. */
  close(): void {
    for (const port of this.#ports) port.close()
  }
}
