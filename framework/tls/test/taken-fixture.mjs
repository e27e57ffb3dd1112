/** A link over TLS that the native part has taken over, in a worker that ends in the middle of traffic. */
import { rawOf } from '@rystra/bytes'
import { BatchedLink, isTlsTaken, keepTls, watchTls } from '@rystra/native'
import { once } from 'node:events'
import net from 'node:net'
import tls from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'

const what = process.argv[2]
const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
await once(server, 'listening')
const dialed = net.connect({ port: server.address().port, host: '127.0.0.1', allowHalfOpen: true })
const [[accepted]] = await Promise.all([once(server, 'connection'), once(dialed, 'connect')])
const { cert, key } = workerData
const secureContext = tls.createSecureContext({ cert, key, minVersion: 'TLSv1.3' })
const [near, noticed] = watchTls(accepted, () => new tls.TLSSocket(accepted, { isServer: true, secureContext }))
const far = tls.connect({ socket: dialed, rejectUnauthorized: false, allowHalfOpen: true })
for (const socket of [near, far]) socket.on('error', () => {})
await Promise.all([once(near, 'secure'), once(far, 'secureConnect')])
keepTls(near, noticed)
// Its tickets are sent, and Node has noted that.
await new Promise(setImmediate)

const limits = { frameSize: 65_536, maxWindow: 1 << 24, maxBuffer: 1 << 26 }
const events = new Proxy({}, { get: () => () => false })
const detached = rawOf(near).detach(true)
const link = BatchedLink.open(detached.fd, limits, () => Buffer.allocUnsafeSlow(1 << 20), undefined, detached.tls)
link.start(events, detached.pending)
const first = once(far, 'data')
link.write(Buffer.alloc(4 << 20, 'x'), 0, 4 << 20)
await first
far.write(Buffer.alloc(4 << 20))
parentPort.postMessage(isTlsTaken(near))
// The connection of Node is over before that of the native part.
if (what === 'closed') {
  near.destroy()
  await once(near, 'close')
}
if (what === 'exit') process.exit(0)
parentPort.postMessage('end me')
