import proxyHttp from '@rystra/proxy-http'
import { type Client, createClient } from 'rystra'
import { app } from './app.js'

/** Exposes the application under a name of the server. No local port is opened. */
export const expose = async (token: string, port: number, host = '127.0.0.1'): Promise<Client> => {
  const client = await createClient({
    extensions: [{ use: '@rystra/auth-token', options: { token } }, proxyHttp],
    client: { id: 'fastify', connect: { host, port } }
  })
  await client.start()
  await client.expose({ kind: 'http', name: 'fastify', handler: app.server })
  return client
}
