import type { Kernel } from '@rystra/kernel'
import { RystraError } from '@rystra/model'
import type { ClientOptions, Rpc, RpcSession } from '@rystra/rpc'

/** RPC of a client whose configuration has the extension `@rystra/rpc`. */
export interface WithClientRpc {
  /** The session with the server. Throws `rpc.unavailable` without the extension. */
  readonly rpc: RpcSession
}

/** RPC of a server whose configuration has the extension `@rystra/rpc`. */
export interface WithServerRpc {
  /**
   * The session with a client, by its id. Throws `rpc.unavailable` without the extension or without that client, and where
   * clients of several identities have the id and none is named.
   */
  rpc(client: string, options?: ClientOptions): RpcSession
}

/** The RPC of what is loaded now: a reload may have replaced it. */
const rpcOf = ({ current }: Kernel): Rpc => {
  const { channels } = current.registries
  if (channels.has('rpc')) return channels.get('rpc') as Rpc
  throw new RystraError('rpc.unavailable', { hint: 'add `@rystra/rpc` to extensions' })
}

export const serverRpc = <Server extends { readonly kernel: Kernel }>(server: Server): Server & WithServerRpc =>
  Object.assign(server, {
    rpc: (client: string, options?: ClientOptions) => rpcOf(server.kernel).client(client, options)
  })

export const clientRpc = <Client extends { readonly kernel: Kernel }>(client: Client): Client & WithClientRpc =>
  Object.defineProperty(client, 'rpc', { get: () => rpcOf(client.kernel).server }) as Client & WithClientRpc
