import { type Address, RystraError } from '@rystra/plugin'
import { BlockList, isIP, type Socket } from 'node:net'

/** Reverse proxies in front of a listener, and who is behind them. */
export class TrustedProxies {
  readonly #list = new BlockList()

  /** Throws `config.invalid` when one is neither an address nor a network. */
  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      try {
        this.#add(entry)
      } catch (cause) {
        const detail = `trustProxy: ${entry} is neither an IP address nor a network like 10.0.0.0/8`
        throw new RystraError('config.invalid', { detail, cause })
      }
    }
  }

  #add(entry: string): void {
    const [address = '', prefix, ...more] = entry.split('/')
    if (isIP(address) === 0 || more.length > 0) throw new RangeError('no address')
    if (prefix === undefined) this.#list.addAddress(address, family(address))
    else if (/^\d{1,3}$/.test(prefix)) this.#list.addSubnet(address, Number(prefix), family(address))
    else throw new RangeError('no prefix')
  }

  has(address: string): boolean {
    return isIP(address) !== 0 && this.#list.check(address, family(address))
  }

  /** The client: who connected, or the last address in X-Forwarded-For that a trusted proxy has seen itself. */
  clientOf({ remoteAddress = 'unknown', remotePort = 0 }: Socket, forwarded: string | undefined): Address {
    if (!this.has(remoteAddress)) return { host: remoteAddress, port: remotePort }
    let host = remoteAddress
    for (const entry of (forwarded ?? '').split(',').reverse()) {
      const address = bare(entry.trim())
      if (isIP(address) === 0) break
      host = address
      if (!this.has(address)) break
    }
    return host === remoteAddress ? { host, port: remotePort } : { host, port: 0 }
  }
}

const family = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 6 ? 'ipv6' : 'ipv4')

/** Some proxies write ports: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const bare = (entry: string): string =>
  /^\[([^\]]+)\](:\d+)?$/.exec(entry)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(entry)?.[1] ?? entry
