import type { TcpListening } from '@rystra/plugin'
import net from 'node:net'
import { Opening } from './opening.js'

/** Connections of a {@link SharedPorts} that have not said yet for whom they are. */
export interface Openings {
  readonly set: Set<Opening>
  /** Above it the oldest is closed. */
  readonly most: number
  /** Milliseconds. */
  readonly timeout: number
}

/** One bound address and who listens there. */
export class SharedPort {
  /** Where it is bound. */
  readonly bound: Promise<net.AddressInfo>
  readonly #server: net.Server
  readonly #openings: Openings
  readonly #own = new Set<Opening>()
  readonly #onFree: () => void
  readonly #keepAlive: number
  /** The last that joined in front: it is asked first. */
  #members: readonly TcpListening[] = []
  /** Members, and those that wait to become one. */
  #users = 0
  #isBound = false

  /** `onFree` is called when nobody is left, and the address is free again. */
  constructor(address: string, options: TcpListening, openings: Openings, onFree: () => void) {
    const { port, backlog = 4096, keepAlive = 30_000 } = options
    this.#openings = openings
    this.#onFree = onFree
    this.#keepAlive = keepAlive
    this.#server = net.createServer(
      { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAlive },
      this.#onConnection
    )
    this.bound = new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host: address, port, backlog }, () => {
        this.#isBound = true
        // From now on an error is one accept that failed, for want of descriptors say: the next one may succeed.
        this.#server.removeAllListeners('error').on('error', () => {})
        resolve(this.#server.address() as net.AddressInfo)
        this.#closeIfUnused()
      })
    })
    this.bound.catch(() => onFree())
  }

  /** Keeps it until the answer is called, which may be often. */
  hold(): () => void {
    this.#users += 1
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#users -= 1
      this.#closeIfUnused()
    }
  }

  /** Until the answer is called, connections may be for this one. Only once it is bound. */
  join(member: TcpListening): () => void {
    const entry = { ...member, recognises: (head: Buffer) => member.recognises(head) }
    this.#members = [entry, ...this.#members]
    return () => {
      this.#members = this.#members.filter((other) => other !== entry)
      // Whoever waited for this one alone would wait for nothing, and where one is left there is nothing to decide.
      for (const opening of [...this.#own]) opening.decide()
    }
  }

  #closeIfUnused(): void {
    if (this.#users > 0 || !this.#isBound || !this.#server.listening) return
    this.#server.close()
    this.#onFree()
  }

  readonly #onConnection = (socket: net.Socket): void => {
    const [only, ...others] = this.#members
    if (only === undefined) {
      socket.destroy()
      return
    }
    if (others.length === 0) {
      this.#give(socket, only)
      return
    }
    const { set, most, timeout } = this.#openings
    // Who means it has said whom it wants within a round trip: the oldest is the one to suspect.
    const [oldest] = set
    if (set.size >= most) oldest?.drop()
    const opening: Opening = new Opening(socket, {
      members: () => this.#members,
      take: (taken, member) => this.#give(taken, member),
      onOver: () => {
        set.delete(opening)
        this.#own.delete(opening)
      },
      timeout
    })
    set.add(opening)
    this.#own.add(opening)
  }

  #give(socket: net.Socket, member: TcpListening): void {
    const { keepAlive = 30_000 } = member
    if (keepAlive !== this.#keepAlive) socket.setKeepAlive(true, keepAlive)
    member.onSocket(socket)
  }
}
