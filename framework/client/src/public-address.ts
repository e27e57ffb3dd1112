import { hostPort } from '@rystra/address'

const wildcards = new Set(['0.0.0.0', '[::]', '::'])

/** What visitors can connect to: a server that binds every address does not know its own name, the client dialed it. */
export const publicAddress = (address: string, serverHost: string): string => {
  const colon = address.lastIndexOf(':')
  if (colon < 0 || !wildcards.has(address.slice(0, colon))) return address
  return hostPort(serverHost, address.slice(colon + 1))
}
