import { RystraError } from '@rystra/plugin'
import { isIPv6 } from 'node:net'
import type { HttpOptions } from './options.js'
import { Problem } from './problem.js'
import type { HttpProxy } from './proxy.js'

/** Counts what one visitor address holds. An IPv6 network of 64 bits counts as one address: one host has all of it. */
export class AddressCounts {
  readonly #counts = new Map<string, number>()

  /** Counts one more, unless there are `max`. The answer takes it back. */
  add(address: string, max: number): (() => void) | undefined {
    const key = keyOf(address)
    const count = this.#counts.get(key) ?? 0
    if (count >= max) return undefined
    this.#counts.set(key, count + 1)
    return () => {
      const left = (this.#counts.get(key) ?? 1) - 1
      if (left === 0) this.#counts.delete(key)
      else this.#counts.set(key, left)
    }
  }
}

const keyOf = (address: string): string => {
  if (!isIPv6(address)) return address
  const [head = '', tail] = address.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  return [...left, ...zeros, ...right].slice(0, 4).join(':')
}

/** Requests in flight, by visitor address and by proxy. */
export class RequestLimits {
  readonly #options: Pick<HttpOptions, 'maxRequestsPerAddress' | 'maxRequestsPerProxy'>
  readonly #addresses = new AddressCounts()

  constructor(options: Pick<HttpOptions, 'maxRequestsPerAddress' | 'maxRequestsPerProxy'>) {
    this.#options = options
  }

  /** Counts a request until the answer is called. Throws a {@link Problem} at a limit. */
  admit(address: string, proxy: HttpProxy): () => void {
    const { maxRequestsPerAddress, maxRequestsPerProxy } = this.#options
    const limit = (detail: string): RystraError => new RystraError('stream.limit', { side: 'server', detail })
    if (proxy.inFlight >= maxRequestsPerProxy) {
      const error = limit(`proxy ${proxy.spec.name}: maxRequestsPerProxy (${maxRequestsPerProxy})`)
      throw new Problem(503, 'too many requests are in flight to this service', error, 1)
    }
    const release = this.#addresses.add(address, maxRequestsPerAddress)
    if (release === undefined) {
      const error = limit(`${address}: maxRequestsPerAddress (${maxRequestsPerAddress})`)
      throw new Problem(429, 'too many requests are in flight from this address', error, 1)
    }
    proxy.inFlight += 1
    return () => {
      proxy.inFlight -= 1
      release()
    }
  }
}
