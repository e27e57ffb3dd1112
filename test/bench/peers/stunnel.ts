import { selfSigned } from '@rystra/certificates'
import { freePort, loopback, show } from '../address.js'
import { needed, type Peer } from '../peer.js'

/** Two stunnels, one at each end: TLS and nothing else. The visitor's connection is one TLS connection. */
export const stunnels: Peer = {
  name: 'stunnels',
  title: 'two stunnels, TLS between them',
  programs: ['stunnel'],
  async start(service, scratch) {
    const [middle, port] = [await freePort(), await freePort()]
    const { cert, key } = await selfSigned({ commonName: 'bench', names: ['localhost'] })
    const pem = scratch.write('stunnel.pem', `${key}${cert}`)
    const common = 'foreground = yes\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n'
    const far = scratch.write(
      'stunnel-server.conf',
      `${common}[bench]\ncert = ${pem}\naccept = ${loopback}:${middle}\nconnect = ${show(service)}\n`
    )
    const near = scratch.write(
      'stunnel-client.conf',
      `${common}[bench]\nclient = yes\nverifyPeer = yes\nCAfile = ${pem}\naccept = ${loopback}:${port}\nconnect = ${loopback}:${middle}\n`
    )
    const server = scratch.start(needed('stunnel'), [far])
    const client = scratch.start(needed('stunnel'), [near])
    return { address: { host: loopback, port }, pids: [server.pid, client.pid] }
  }
}
