/// <reference types="@rystra/auth-token" preserve="true" />
/// <reference types="@rystra/inspect-http" preserve="true" />
/// <reference types="@rystra/mux-direct" preserve="true" />
/// <reference types="@rystra/mux-yamux" preserve="true" />
/// <reference types="@rystra/proxy-http" preserve="true" />
/// <reference types="@rystra/proxy-private" preserve="true" />
/// <reference types="@rystra/proxy-tcp" preserve="true" />
/// <reference types="@rystra/proxy-udp" preserve="true" />
/// <reference types="@rystra/transport-tcp" preserve="true" />
/// <reference types="@rystra/transport-tls" preserve="true" />
// The options of these are typed in every configuration; those of other extensions once the configuration imports them.
import type { Client, ClientOptions } from '@rystra/client'
import type { RystraConfig } from '@rystra/config'
import type { Server, ServerOptions } from '@rystra/server'
import { loadPreset } from './preset.js'
import { packageResolver } from './project/resolver.js'
import { clientRpc, serverRpc, type WithClientRpc, type WithServerRpc } from './rpc-face.js'

export type { Client, ClientOptions } from '@rystra/client'
export { defineConfig, loadConfig, type RystraConfig } from '@rystra/config'
export * from '@rystra/plugin'
export type { Server, ServerOptions } from '@rystra/server'

const withPreset = async <Options extends ServerOptions | ClientOptions>(options: Options): Promise<Options> => ({
  ...options,
  preset: [...(options.preset ?? []), ...(await loadPreset())],
  resolve: options.resolve ?? (await packageResolver(options.dir ?? process.cwd()))
})

/**
 * Makes a server with the preset: TCP, yamux and direct, tokens, TCP proxies. Nothing listens before `start()`.
 * Rejects with `config.*`, `extension.*` or `registry.*`.
 *
 * @example
 * const server = await createServer({
 *   extensions: [{ use: '@rystra/auth-token', options: { token: process.env.RYSTRA_TOKEN } }],
 *   server: { listen: [{ port: 7000 }] }
 * })
 * await server.start()
 */
export const createServer = async (
  config: RystraConfig,
  options: ServerOptions = {}
): Promise<Server & WithServerRpc> => {
  const { createServer: create } = await import('@rystra/server')
  const server = await create(config, await withPreset(options))
  return serverRpc(server)
}

/**
 * Makes a client with the preset. Nothing is dialed before `start()`, which resolves when every proxy was answered.
 * Rejects with `config.*`, `extension.*` or `registry.*`.
 *
 * @example
 * const client = await createClient({
 *   extensions: [{ use: '@rystra/auth-token', options: { token: process.env.RYSTRA_TOKEN } }],
 *   client: {
 *     connect: { host: 'tunnel.example.org' },
 *     proxies: [{ name: 'web', kind: 'tcp', local: '127.0.0.1:3000' }]
 *   }
 * })
 * await client.start()
 */
export const createClient = async (
  config: RystraConfig,
  options: ClientOptions = {}
): Promise<Client & WithClientRpc> => {
  const { createClient: create } = await import('@rystra/client')
  const client = await create(config, await withPreset(options))
  return clientRpc(client)
}
