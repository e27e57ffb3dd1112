import { execFileSync } from 'node:child_process'
import net from 'node:net'
import { freePort, loopback } from '../address.js'
import { needed, type Peer } from '../peer.js'
import { untilSays } from '../scratch.js'

/** Where bore's server listens; it takes no other port. */
const control = 7835

const taken = (): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(control, loopback)
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
  })

/** bore with a secret. Versions that can are kept to loopback. */
export const bore: Peer = {
  name: 'bore',
  title: 'bore, with a secret',
  programs: ['bore'],
  async start(service, scratch) {
    if (await taken()) throw new Error(`port ${control}, the only one its server listens on, is taken`)
    const file = needed('bore')
    const help = execFileSync(file, ['server', '--help'], { encoding: 'utf8' })
    const bound = ['--bind-addr', '--bind-tunnels'].flatMap((flag) => (help.includes(flag) ? [flag, loopback] : []))
    const server = scratch.start(file, ['server', '--secret', 'bench', '--min-port', '1024', ...bound])
    await untilSays(server, /listening/)
    const port = await freePort()
    const local = ['--local-host', service.host, '--to', loopback, '--port', String(port), '--secret', 'bench']
    const client = scratch.start(file, ['local', String(service.port), ...local])
    return { address: { host: loopback, port }, pids: [server.pid, client.pid] }
  }
}
