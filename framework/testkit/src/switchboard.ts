import {
  type Address,
  type DialOptions,
  type Link,
  type Listener,
  type ListenHost,
  type ListenOptions,
  type PeerInfo,
  RystraError,
  type Transport
} from '@rystra/plugin'

/** Ports are given out from here, as the systems do it. */
const FIRST_FREE_PORT = 49_152

const everywhere = new Set(['0.0.0.0', '::'])

const keyOf = ({ host, port }: Address): string => `${everywhere.has(host) ? '*' : host} ${port}`

/** What the networks within the process share: addresses, and who listens there. */
export abstract class Switchboard<Made extends Link> implements Transport {
  abstract readonly name: string
  readonly #listeners = new Map<string, (link: Link) => void>()
  #nextPort = FIRST_FREE_PORT

  /** The two ends of a new link: of who dialed, and of who listens. */
  protected abstract join(client: PeerInfo, server: PeerInfo): [client: Made, server: Made]

  /** Loses every link that is up, as a network does that fails: both ends see a reset. */
  abstract cut(): void

  async listen(
    options: ListenOptions,
    onLink: (link: Link) => void,
    signal: AbortSignal,
    _host?: ListenHost
  ): Promise<Listener> {
    signal.throwIfAborted()
    const address: Address = { host: options.host, port: options.port === 0 ? this.#freePort() : options.port }
    const key = keyOf(address)
    if (this.#listeners.has(key)) {
      throw new RystraError('listen.in-use', { detail: `memory ${address.host}:${address.port}` })
    }
    this.#listeners.set(key, onLink)
    const stop = (): void => {
      signal.removeEventListener('abort', stop)
      if (this.#listeners.get(key) === onLink) this.#listeners.delete(key)
    }
    signal.addEventListener('abort', stop, { once: true })
    return { address, close: async () => stop() }
  }

  dial(options: DialOptions, signal: AbortSignal): Promise<Made> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const aborted = (): void => {
        clearImmediate(turn)
        reject(new RystraError('connect.unreachable', { detail: 'given up', cause: signal.reason }))
      }
      signal.addEventListener('abort', aborted, { once: true })
      const turn = setImmediate(() => {
        signal.removeEventListener('abort', aborted)
        const { host, port } = options
        const accept = this.#listeners.get(keyOf(options)) ?? this.#listeners.get(`* ${port}`)
        if (accept === undefined) {
          const detail = `memory ${host}:${port}, nothing listens there`
          return reject(new RystraError('connect.unreachable', { detail }))
        }
        const [near, far] = this.join({ address: 'memory', port }, { address: 'memory', port: this.#freePort() })
        resolve(near)
        accept(far)
      })
    })
  }

  #freePort(): number {
    return this.#nextPort++
  }
}
