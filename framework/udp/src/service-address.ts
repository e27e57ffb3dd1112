import { type Endpoint, parseEndpoint } from '@rystra/address'
import type { Clock } from '@rystra/plugin'
import dns from 'node:dns/promises'
import net from 'node:net'

/** Milliseconds between two look-ups of a name. */
const LOOKUP_PAUSE = 1000

/** The forms of `local`. */
export const udpForms = { defaultHost: '127.0.0.1' } as const

/** An address that can be sent to. */
export interface Resolved {
  readonly address: string
  readonly family: 4 | 6
}

/** Reads `local`. Throws `proxy.invalid`. */
export const parseUdpService = (local: string): Endpoint =>
  parseEndpoint(local, udpForms, { name: 'local', code: 'proxy.invalid', side: 'client' })

/** How names are looked up. */
export type Lookup = (host: string) => Promise<readonly Resolved[]>

const systemLookup: Lookup = async (host) =>
  (await dns.lookup(host, { all: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))

/** The addresses of a service. A name is looked up once, and again when an address of it failed. */
export class ServiceAddresses {
  readonly port: number
  readonly #host: string
  readonly #lookup: Lookup
  readonly #clock: Clock
  #found: readonly Resolved[] = []
  #looking: Promise<void> | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #turn = 0
  /** Why the name has no address. */
  error: Error | undefined

  constructor({ host, port }: Endpoint, clock: Clock, lookup: Lookup = systemLookup) {
    this.port = port
    this.#host = host
    this.#clock = clock
    this.#lookup = lookup
    const family = net.isIP(host)
    if (family !== 0) this.#found = [{ address: host, family: family === 6 ? 6 : 4 }]
  }

  /** The one to use now, if one is known. */
  get current(): Resolved | undefined {
    return this.#found[this.#turn % this.#found.length]
  }

  /** Looks the name up, unless that was done just now. Never rejects: see {@link current} and {@link error}. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  async #look(): Promise<void> {
    const now = this.#clock.now()
    if (net.isIP(this.#host) !== 0 || now - this.#lookedAt < LOOKUP_PAUSE) return
    this.#lookedAt = now
    try {
      const found = await this.#lookup(this.#host)
      this.error = undefined
      // The same as before: then whose turn it is stays.
      if (JSON.stringify(found) === JSON.stringify(this.#found)) return
      this.#found = found
      this.#turn = 0
    } catch (error) {
      this.error = error as Error
    }
  }

  /** An address failed: the next one's turn, and the name is looked up again. Answers whether there may be a better one. */
  failed({ address }: Resolved): boolean {
    if (net.isIP(this.#host) !== 0) return false
    if (this.current?.address === address) this.#turn += 1
    void this.look()
    return true
  }
}
