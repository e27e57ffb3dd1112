import { maxDescriptor } from '@rystra/limits'
import { RystraError } from '@rystra/model'

/** Share of the connections that one visitor address may have: one that opens thousands leaves room for others. */
const ADDRESS_SHARE = 1 / 2

/** Bounds the connections to services, each of which takes a descriptor, as a whole and by visitor address. */
export class ServiceSockets {
  readonly #max: number
  readonly #byAddress = new Map<string, number>()
  #open = 0

  /** @param max @default what the limit of open files leaves */
  constructor(max = maxDescriptor()) {
    this.#max = max
  }

  /** Counts one more until the answer is called, once. Throws `stream.limit`. */
  admit(address: string): () => void {
    const count = this.#byAddress.get(address) ?? 0
    if (this.#open >= this.#max) throw limit(`${this.#max} connections to services: raise "ulimit -n"`)
    if (count >= Math.max(1, this.#max * ADDRESS_SHARE)) throw limit(`${count} connections to services for ${address}`)
    this.#open += 1
    this.#byAddress.set(address, count + 1)
    return () => {
      this.#open -= 1
      const left = (this.#byAddress.get(address) ?? 1) - 1
      if (left === 0) this.#byAddress.delete(address)
      else this.#byAddress.set(address, left)
    }
  }
}

const limit = (detail: string): RystraError => new RystraError('stream.limit', { side: 'client', detail })
