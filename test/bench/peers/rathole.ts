import { freePort, loopback, show } from '../address.js'
import { needed, type Peer } from '../peer.js'

/** rathole over plain TCP, as its README shows it. */
export const rathole: Peer = {
  name: 'rathole',
  title: 'rathole, tcp',
  programs: ['rathole'],
  async start(service, scratch) {
    const control = await freePort()
    const port = await freePort()
    const server = scratch.write(
      'rathole-server.toml',
      `[server]
bind_addr = "${loopback}:${control}"
default_token = "bench"
[server.services.bench]
bind_addr = "${loopback}:${port}"
`
    )
    const client = scratch.write(
      'rathole-client.toml',
      `[client]
remote_addr = "${loopback}:${control}"
default_token = "bench"
[client.services.bench]
local_addr = "${show(service)}"
`
    )
    const env = { ...process.env, RUST_LOG: 'error' }
    const ends = [
      scratch.start(needed('rathole'), ['--server', server], { env }),
      scratch.start(needed('rathole'), ['--client', client], { env })
    ]
    return { address: { host: loopback, port }, pids: ends.map((end) => end.pid) }
  }
}
