/** A link and a stream that is joined: in a worker that ends, or in a process with few descriptors. */
import { BatchedLink } from '@rystra/native'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import net from 'node:net'
import { parentPort } from 'node:worker_threads'

const what = process.argv[2]
const say = (message) => parentPort?.postMessage(message)
const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
await once(server, 'listening')

const pair = async () => {
  const near = net.connect({ port: server.address().port, host: '127.0.0.1', allowHalfOpen: true })
  const [[far]] = await Promise.all([once(server, 'connection'), once(near, 'connect')])
  near._handle.readStop()
  for (const socket of [near, far]) socket.on('error', () => {})
  return [near, far]
}

const limits = { frameSize: 65_536, maxWindow: 1 << 24, maxBuffer: 1 << 26 }
const window = 262_144
const state = { sendWindow: window, credit: window, window, owed: 0, granted: 0, acknowledged: true, ended: false }
const events = new Proxy({}, { get: () => () => false })
const memory = () => Buffer.allocUnsafeSlow(1 << 20)
const [near, far] = await pair()
const [socket, other] = await pair()
const link = BatchedLink.open(near._handle.fd, limits, memory)
link.start(events)

if (what === 'descriptors') {
  try {
    for (;;) openSync('/dev/null')
  } catch {
    // None is left.
  }
  const joined = link.join(1, socket._handle.fd, { ...state, unread: Buffer.alloc(0) })
  const opened = BatchedLink.open(socket._handle.fd, limits, memory) !== undefined
  // The link goes on.
  const answer = once(far, 'data')
  link.write(Buffer.from('frames'), 0, 6)
  console.log(JSON.stringify({ joined, opened, sent: String((await answer)[0]) }))
  process.exit()
}

link.join(1, socket._handle.fd, { ...state, unread: Buffer.from('first') })
const [first] = await once(other, 'data')
// In the middle of traffic.
other.write(Buffer.alloc(4 << 20))
if (what === 'closed') socket.destroy()
await once(far, 'readable')
say(String(first))
if (what === 'exit') process.exit(0)
say('end me')
