import { freePort, loopback } from '../address.js'
import { benchHost } from '../host.js'
import { needed, type Peer } from '../peer.js'
import { untilSays } from '../scratch.js'

/** What frp publishes. */
type Kind = 'tcp' | 'udp' | 'http'

const frp = (name: string, title: string, mux: boolean, tls: boolean, kind: Kind = 'tcp'): Peer => ({
  name,
  title,
  programs: ['frps', 'frpc'],
  async start(service, scratch) {
    const control = await freePort()
    const port = await freePort()
    const common = `auth.token = "bench"\ntransport.tcpMux = ${mux}\nlog.level = "info"\n`
    const serverFile = scratch.write(
      `${name}-server.toml`,
      `bindAddr = "${loopback}"\nbindPort = ${control}\nproxyBindAddr = "${loopback}"\n${
        kind === 'http' ? `vhostHTTPPort = ${port}\n` : ''
      }${common}`
    )
    const clientFile = scratch.write(
      `${name}-client.toml`,
      `serverAddr = "${loopback}"
serverPort = ${control}
transport.tls.enable = ${tls}
${common}
[[proxies]]
name = "bench"
type = "${kind}"
localIP = "${service.host}"
localPort = ${service.port}
${kind === 'http' ? `customDomains = ["${benchHost}"]` : `remotePort = ${port}`}
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

/** frp's other kinds, as they come. */
export const frpWeb = frp('http-frp', 'frp as it comes, type http', true, true, 'http')
export const frpDatagrams = frp('udp-frp', 'frp as it comes, type udp', true, true, 'udp')
