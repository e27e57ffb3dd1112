import { freePort, loopback, show } from '../address.js'
import { needed, type Peer } from '../peer.js'
import { descriptorLimit } from '../usage.js'

/** One hop and no tunnel: the measure of a good relay in C. */
export const haproxy: Peer = {
  name: 'haproxy',
  title: 'haproxy, mode tcp, one hop and no tunnel',
  programs: ['haproxy'],
  async start(service, scratch) {
    const port = await freePort()
    const file = scratch.write(
      'haproxy.cfg',
      `global
  maxconn ${Math.floor((descriptorLimit() - 200) / 2)}
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen bench
  bind ${loopback}:${port}
  server service ${show(service)}
`
    )
    const program = scratch.start(needed('haproxy'), ['-db', '-f', file])
    return { address: { host: loopback, port }, pids: [program.pid] }
  }
}
