import { hostPort } from '@rystra/address'
import type { PeerInfo } from '@rystra/model'

const wildcards = new Set(['0.0.0.0', '[::]', '::'])

/** The host of the server: what was dialed. One that is reached by a name such as a path is on this machine. */
export const serverHost = (
  { host, address }: { readonly host?: string | undefined; readonly address?: string | undefined },
  peer: PeerInfo
): string => host ?? (address === undefined ? peer.address : 'localhost')

/** What visitors can connect to: a server that binds every address does not know its own name, the client dialed it. */
export const publicAddress = (address: string, serverHost: string): string => {
  const colon = address.lastIndexOf(':')
  if (colon < 0 || !wildcards.has(address.slice(0, colon))) return address
  return hostPort(serverHost, address.slice(colon + 1))
}
