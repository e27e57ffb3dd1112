import { type Client, createClient } from 'rystra'

/** A client in this program, which publishes one service. It is published, or was refused, when this resolves. */
export const expose = async (local: string, token: string, port: number, say = console.log): Promise<Client> => {
  const client = await createClient({
    extensions: [{ use: '@rystra/auth-token', options: { token } }],
    client: { id: 'embedded', connect: { host: '127.0.0.1', port }, proxies: [{ name: 'web', kind: 'tcp', local }] }
  })
  client.on('published', ({ name, address }) => say(`client: ${name} is at ${address}`))
  client.on('refused', ({ name, error }) => say(`client: ${name} was refused: ${error.message}`))
  client.on('reconnecting', ({ delay, error }) => say(`client: ${error.code}, again in ${delay} ms`))
  await client.start()
  return client
}
