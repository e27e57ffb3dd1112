import net from 'node:net'

const listening = (port: number): Promise<net.Server> =>
  new Promise((resolve, reject) => {
    const server = net.createServer()
    server.once('error', reject)
    const options = { host: '127.0.0.1', port, reusePort: true }
    server.listen(options as net.ListenOptions, () => resolve(server))
  })

/**
 * Whether several processes can listen on one TCP port here: Node knows `reusePort` from 22.12 and 23.1 on and ignores it
 * before, and the system has to have SO_REUSEPORT with a balance between the listeners. Tried, since versions tell neither.
 */
export const canReusePort = async (): Promise<boolean> => {
  const servers: net.Server[] = []
  try {
    const first = await listening(0)
    servers.push(first)
    servers.push(await listening((first.address() as net.AddressInfo).port))
    return true
  } catch {
    return false
  } finally {
    for (const server of servers) server.close()
  }
}
