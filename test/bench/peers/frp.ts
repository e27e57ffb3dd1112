import { freePort, loopback } from '../address.js'
import { needed, type Peer } from '../peer.js'
import { untilSays } from '../scratch.js'

const frp = (name: string, title: string, mux: boolean, tls: boolean): Peer => ({
  name,
  title,
  programs: ['frps', 'frpc'],
  async start(service, scratch) {
    const control = await freePort()
    const port = await freePort()
    const common = `auth.token = "bench"\ntransport.tcpMux = ${mux}\nlog.level = "info"\n`
    const serverFile = scratch.write(
      `${name}-server.toml`,
      `bindAddr = "${loopback}"\nbindPort = ${control}\nproxyBindAddr = "${loopback}"\n${common}`
    )
    const clientFile = scratch.write(
      `${name}-client.toml`,
      `serverAddr = "${loopback}"
serverPort = ${control}
transport.tls.enable = ${tls}
${common}
[[proxies]]
name = "bench"
type = "tcp"
localIP = "${service.host}"
localPort = ${service.port}
remotePort = ${port}
`
    )
    const server = scratch.start(needed('frps'), ['-c', serverFile])
    await untilSays(server, /started successfully/)
    const client = scratch.start(needed('frpc'), ['-c', clientFile])
    return { address: { host: loopback, port }, pids: [server.pid, client.pid] }
  }
})

/** frp as it comes: its own multiplexing, and TLS. */
export const frpDefault = frp('frp', 'frp as it comes: tcpMux and TLS', true, true)
export const frpMux = frp('frp-mux', 'frp, tcpMux, no TLS', true, false)
export const frpNoMux = frp('frp-no-mux', 'frp, tcpMux = false, no TLS', false, false)
