import type { VisitorInfo } from '@rystra/model'
import { plainAddress } from './address.js'

/** The addresses of an accepted connection; a `net.Socket` has them. */
interface Accepted {
  readonly remoteAddress?: string | undefined
  readonly remotePort?: number | undefined
  readonly localAddress?: string | undefined
  readonly localPort?: number | undefined
}

/** Where a connection comes from and goes to, in plain form; `unknown` and 0 for a socket that is closed already. */
export const visitorOf = ({ remoteAddress, remotePort, localAddress, localPort }: Accepted): VisitorInfo => ({
  host: plainAddress(remoteAddress ?? 'unknown'),
  port: remotePort ?? 0,
  to: { host: plainAddress(localAddress ?? 'unknown'), port: localPort ?? 0 }
})
