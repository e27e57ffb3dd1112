import { freePort, loopback, show } from '../address.js'
import { needed, type Peer } from '../peer.js'
import { untilSays } from '../scratch.js'

/** chisel's reverse mode: SSH in a WebSocket, as its README shows it. */
export const chisel: Peer = {
  name: 'chisel',
  title: 'chisel, reverse',
  programs: ['chisel'],
  async start(service, scratch) {
    const control = { host: loopback, port: await freePort() }
    const port = await freePort()
    const file = needed('chisel')
    const auth = ['--auth', 'bench:bench']
    const where = ['--host', control.host, '--port', String(control.port)]
    const server = scratch.start(file, ['server', '--reverse', ...auth, ...where])
    await untilSays(server, /Listening/)
    const remote = `R:${loopback}:${port}:${show(service)}`
    const client = scratch.start(file, ['client', ...auth, `http://${show(control)}`, remote])
    return { address: { host: loopback, port }, pids: [server.pid, client.pid] }
  }
}
