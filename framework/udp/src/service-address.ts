import { type Endpoint, parseEndpoint } from '@rystra/address'
import type { Clock } from '@rystra/plugin'
import dns from 'node:dns/promises'
import net from 'node:net'

/** Minimum time between two lookups of a name. */
const LOOKUP_INTERVAL_MS = 1000

/** The forms of `local`. */
export const udpForms = { defaultHost: '127.0.0.1' } as const

/** A resolved address. */
export interface Resolved {
  readonly address: string
  readonly family: 4 | 6
}

/** Reads `local`. Throws `proxy.invalid`. */
export const parseUdpService = (local: string): Endpoint =>
  parseEndpoint(local, udpForms, { name: 'local', code: 'proxy.invalid', side: 'client' })

/** Resolves names. */
export type Lookup = (host: string) => Promise<readonly Resolved[]>

const systemLookup: Lookup = async (host) =>
  (await dns.lookup(host, { all: true })).map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 }))

/** The addresses of a service. A name is resolved once, and again when one of its addresses failed. */
export class ServiceAddresses {
  readonly port: number
  readonly #host: string
  readonly #lookup: Lookup
  readonly #clock: Clock
  #found: readonly Resolved[] = []
  #resolving: Promise<void> | undefined
  #lookedAt = Number.NEGATIVE_INFINITY
  #turn = 0
  /** The error of the last lookup. */
  error: Error | undefined

  constructor({ host, port }: Endpoint, clock: Clock, lookup: Lookup = systemLookup) {
    this.port = port
    this.#host = host
    this.#clock = clock
    this.#lookup = lookup
    const family = net.isIP(host)
    if (family !== 0) this.#found = [{ address: host, family: family === 6 ? 6 : 4 }]
  }

  /** The current address, if known. */
  get current(): Resolved | undefined {
    return this.#found[this.#turn % this.#found.length]
  }

  /** Resolves the name, at a limited rate. Never rejects: see {@link current} and {@link error}. */
  resolve(): Promise<void> {
    this.#resolving ??= this.#query().finally(() => {
      this.#resolving = undefined
    })
    return this.#resolving
  }

  async #query(): Promise<void> {
    const now = this.#clock.now()
    if (net.isIP(this.#host) !== 0 || now - this.#lookedAt < LOOKUP_INTERVAL_MS) return
    this.#lookedAt = now
    try {
      const found = await this.#lookup(this.#host)
      this.error = undefined
      // An unchanged result keeps the current address.
      if (JSON.stringify(found) === JSON.stringify(this.#found)) return
      this.#found = found
      this.#turn = 0
    } catch (error) {
      this.error = error as Error
    }
  }

  /** Switches to the next address and resolves the name again. Returns whether there may be another one. */
  failed({ address }: Resolved): boolean {
    if (net.isIP(this.#host) !== 0) return false
    if (this.current?.address === address) this.#turn += 1
    this.resolve().catch((error: Error) => {
      this.error = error
    })
    return true
  }
}
