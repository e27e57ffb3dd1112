import { createServer, type Server } from 'rystra'

/** A server in this program, on one port of this machine. It says what happens, and listens when this resolves. */
export const serve = async (token: string, port: number, say = console.log): Promise<Server> => {
  const server = await createServer({
    extensions: [{ use: '@rystra/auth-token', options: { token } }],
    server: { listen: [{ host: '127.0.0.1', port }], publish: { host: '127.0.0.1' } }
  })
  server.on('connected', ({ client, peer }) => say(`server: ${client.id} came from ${peer.address}`))
  server.on('streamClose', ({ proxy, bytesToVisitor }) => say(`server: ${proxy.name} sent ${bytesToVisitor} bytes`))
  server.on('refused', ({ what, subject, error }) => say(`server: refused a ${what}, ${subject}: ${error.code}`))
  await server.start()
  return server
}
