import type { Address } from '@rystra/model'

/** Finds servers, and announces them. `registries.discoveries` */
export interface Discovery {
  readonly name: string
  announce?(service: string, address: Address, signal: AbortSignal): Promise<void>
  find?(service: string, signal: AbortSignal): AsyncIterable<Address>
}
