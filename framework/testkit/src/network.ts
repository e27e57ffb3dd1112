import {
  type Address,
  type ByteLink,
  type DialOptions,
  type Link,
  type Listener,
  type ListenOptions,
  RystraError,
  type Transport
} from '@rystra/plugin'
import { duplexPair, type PairOptions } from './pair.js'

/** Ports are given out from here, as the systems do it. */
const FIRST_FREE_PORT = 49_152

const everywhere = new Set(['0.0.0.0', '::'])

const keyOf = ({ host, port }: Address): string => `${everywhere.has(host) ? '*' : host} ${port}`

/** A network within the process: a transport whose links never leave it. Two networks do not know of each other. */
export class MemoryNetwork implements Transport {
  readonly name = 'memory'
  readonly #listeners = new Map<string, (link: Link) => void>()
  readonly #options: PairOptions
  #nextPort = FIRST_FREE_PORT

  constructor(options: PairOptions = {}) {
    this.#options = options
  }

  async listen(options: ListenOptions, onLink: (link: Link) => void, signal: AbortSignal): Promise<Listener> {
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

  dial(options: DialOptions, signal: AbortSignal): Promise<ByteLink> {
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
        const [near, far] = duplexPair(this.#options)
        resolve({ kind: 'bytes', duplex: near, peer: { address: 'memory', port } })
        accept({ kind: 'bytes', duplex: far, peer: { address: 'memory', port: this.#freePort() } })
      })
    })
  }

  #freePort(): number {
    return this.#nextPort++
  }
}
