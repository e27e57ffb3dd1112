import { plainAddress } from '@rystra/address'
import type { Address } from '@rystra/plugin'
import net from 'node:net'

/** A TCP socket that listens already, and that this process was started with. */
export interface InheritedSocket extends Address {
  readonly fd: number
}

/** Connections that wait for the next owner of their port, at most: as many as a kernel queues by default. */
const MAX_WAITING = 4096

/** Milliseconds they wait: a client that comes back has registered its proxies by then. */
const WAIT_MS = 10_000

type OnConnection = (socket: net.Socket) => void

/**
 * One inherited socket. It is never closed: what gave it to this process has it open as well, so that the address could not
 * be bound again. Connections without an owner wait for the next one.
 */
export class InheritedPort {
  readonly socket: InheritedSocket
  readonly server = net.createServer({ allowHalfOpen: true }, (connection) => this.#take(connection))
  readonly #waiting = new Map<net.Socket, NodeJS.Timeout>()
  #owner: OnConnection | undefined
  #paused = false
  #listening = false

  constructor(socket: InheritedSocket) {
    this.socket = socket
  }

  get taken(): boolean {
    return this.#owner !== undefined
  }

  /** @param paused Whether connections are paused, so that they can wait */
  own(paused: boolean, owner: OnConnection): void {
    this.#owner = owner
    this.#paused = paused
    this.server.ref()
    // Read for each connection.
    ;(this.server as { pauseOnConnect?: boolean }).pauseOnConnect = paused
  }

  listen(backlog: number, done: () => void): void {
    const listening = (): void => {
      this.#listening = true
      done()
      for (const [connection, timer] of this.#waiting) {
        clearTimeout(timer)
        this.#owner?.(connection)
      }
      this.#waiting.clear()
    }
    if (this.#listening) setImmediate(listening)
    else this.server.listen({ fd: this.socket.fd, backlog }, listening)
  }

  /** Connections wait for the next owner; they do not keep the process up. */
  release(): void {
    this.#owner = undefined
    this.server.unref()
  }

  /** Connections wait for another process from now on. */
  close(): void {
    this.server.close()
    for (const connection of this.#waiting.keys()) connection.resetAndDestroy()
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
    }, WAIT_MS)
    this.#waiting.set(connection, timer.unref())
    connection.once('close', gone).on('error', () => {})
  }
}

/** The listening sockets that this process was started with. */
export class InheritedSockets {
  readonly #ports: InheritedPort[]

  constructor(sockets: readonly InheritedSocket[] = []) {
    this.#ports = sockets.map((socket) => new InheritedPort(socket))
  }

  /** The one at an address, unless it has an owner. One of all IPv6 addresses is one of all IPv4 addresses, too. */
  find(host: string, port: number): InheritedPort | undefined {
    const wanted = plainAddress(host)
    return this.#ports.find(({ socket, taken }) => {
      if (taken || socket.port !== port) return false
      const at = plainAddress(socket.host)
      return at === wanted || (at === '::' && wanted === '0.0.0.0')
    })
  }

  /** Accepts nothing any more: what comes is for the process that has the sockets next. */
  close(): void {
    for (const port of this.#ports.splice(0)) port.close()
  }
}
