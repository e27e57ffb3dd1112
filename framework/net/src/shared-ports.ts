import type { Listener, ListenHost, TcpListening } from '@rystra/plugin'
import { promises as dns } from 'node:dns'
import net from 'node:net'
import { orAborted } from './abort.js'
import { hostPort, listenError } from './errors.js'
import type { Opening } from './opening.js'
import { SharedPort } from './shared-port.js'

/** How a {@link SharedPorts} treats those who do not say whom they want. */
export interface SharedPortsOptions {
  /**
   * Connections that may be undecided at one time; above that the oldest is closed. Each may hold 80 KiB.
   * @default 512
   */
  readonly undecided?: number
  /** Milliseconds they have. @default 10000, as long as a handshake may take */
  readonly timeout?: number
}

/**
 * The TCP ports of one server. A listener that is alone on its address gets the connections as they come; where several
 * share one, the first bytes of each connection are read and put back.
 */
export class SharedPorts implements ListenHost {
  readonly #ports = new Map<string, SharedPort>()
  readonly #openings: { readonly set: Set<Opening>; readonly most: number; readonly timeout: number }

  constructor({ undecided = 512, timeout = 10_000 }: SharedPortsOptions = {}) {
    this.#openings = { set: new Set(), most: undecided, timeout }
  }

  /** Connections that have not said yet whom they want. */
  get undecided(): number {
    return this.#openings.set.size
  }

  /** See {@link ListenHost.listenTcp}. The backlog of an address is that of the one who was first there. */
  async listenTcp(options: TcpListening, signal: AbortSignal): Promise<Listener> {
    const { host, port } = options
    let release = (): void => {}
    try {
      signal.throwIfAborted()
      const address = await orAborted(resolved(host), signal)
      const shared = this.#portAt(address, options)
      release = shared.hold()
      const bound = await orAborted(shared.bound, signal)
      signal.throwIfAborted()
      if (port === 0) this.#ports.set(keyOf(address, bound.port), shared)
      const leave = shared.join(options)
      const end = (): void => {
        signal.removeEventListener('abort', end)
        leave()
        release()
      }
      signal.addEventListener('abort', end)
      return {
        address: { host: bound.address, port: bound.port },
        // Connections that are up are not ours to wait for. A turn of the event loop lets the handle go.
        close: () =>
          new Promise((resolve) => {
            end()
            setImmediate(resolve)
          })
      }
    } catch (error) {
      release()
      throw listenError(error as NodeJS.ErrnoException, host, port, this.#overlap(error, port))
    }
  }

  #portAt(address: string, options: TcpListening): SharedPort {
    const there = options.port === 0 ? undefined : this.#ports.get(keyOf(address, options.port))
    if (there !== undefined) return there
    const made = new SharedPort(address, options, this.#openings, () => {
      for (const [key, shared] of this.#ports) if (shared === made) this.#ports.delete(key)
    })
    if (options.port !== 0) this.#ports.set(keyOf(address, options.port), made)
    return made
  }

  /** Whether it is this server itself that is in the way: `0.0.0.0` and `127.0.0.1` are not the same address. */
  #overlap(error: unknown, port: number): string {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return ''
    const there = [...this.#ports.keys()].find((key) => key.endsWith(` ${port}`))?.split(' ')[0]
    return there === undefined
      ? ''
      : `, by ${hostPort(there, port)} of this server: listeners that share a port have the same host`
  }
}

const keyOf = (address: string, port: number): string => `${address} ${port}`

/** The address that is bound, written in one way: the first one of a name, as Node binds it. */
const resolved = async (host: string): Promise<string> => {
  const { address, family } =
    net.isIP(host) === 0 ? await dns.lookup(host, { verbatim: true }) : { address: host, family: net.isIP(host) }
  // A zone belongs to the address, and is no part of what can be written in one way.
  if (family !== 6 || address.includes('%')) return address
  return new net.SocketAddress({ address, family: 'ipv6' }).address
}
