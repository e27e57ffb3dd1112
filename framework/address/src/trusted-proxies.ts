import { isIP } from 'node:net'
import { networks, plainAddress } from './address.js'

/** Entries of one X-Forwarded-For that are read, the last ones: longer chains are not genuine. */
const MAX_ENTRIES = 64

/** Some proxies write ports: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const withoutPort = (entry: string): string =>
  /^\[([^\]]+)\](:\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry

/** Reverse proxies in front of a listener whose X-Forwarded-For is believed. */
export class TrustedProxies {
  /** Whether an address is one of theirs. */
  readonly has: (address: string) => boolean

  /**
   * Throws `config.invalid` for an entry that is neither an address nor a network.
   * @param where the option in errors: `trustedProxies`
   */
  constructor(entries: readonly string[], where: string) {
    this.has = networks(entries, where)
  }

  /** The client of a connection from `address`: the last address of X-Forwarded-For that is not a trusted proxy. */
  clientOf(address: string, forwardedFor: string | undefined): string {
    let client = address
    for (const entry of (forwardedFor ?? '').split(',').slice(-MAX_ENTRIES).reverse()) {
      const next = withoutPort(entry.trim())
      if (!this.has(client) || isIP(next) === 0) break
      client = plainAddress(next)
    }
    return client
  }
}
