/** Connections in a worker that ends, or in a process with few descriptors. */
import { Connection } from '@rystra/native'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import net from 'node:net'
import { parentPort } from 'node:worker_threads'

const what = process.argv[2]
const say = (message) => parentPort?.postMessage(message)
const memory = () => Buffer.allocUnsafeSlow(1 << 20)
const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()
const address = { host: '127.0.0.1', port }
const events = (more = {}) => Object.assign({ onOpen() {}, onBytes() {}, onEnd() {}, onSent() {}, onClosed() {} }, more)

if (what === 'descriptors') {
  const spare = await new Promise((resolve) => {
    server.once('connection', resolve)
    net.connect(address)
  })
  // The native part itself is there.
  await new Promise((resolve) => {
    const first = Connection.dial(address, events({ onOpen: () => resolve(first) }), memory)
  })
  const opened = []
  try {
    for (;;) opened.push(openSync('/dev/null'))
  } catch {
    // None is left.
  }
  const full = [Connection.dial(address, events(), memory), Connection.adopt(spare._handle.fd, events(), memory)]
  closeSync(opened.pop())
  const dialed = await new Promise((resolve) => {
    const connection = Connection.dial(address, events({ onOpen: () => resolve(connection) }), memory)
  })
  const none = Connection.dial(address, events(), memory)
  dialed.close()
  const again = Connection.dial(address, events(), memory)
  console.log(JSON.stringify({ full: full.map(String), none: String(none), again: typeof again }))
  process.exit()
}

const near = []
for (let index = 0; index < 20; index += 1) {
  const far = once(server, 'connection')
  const connection = await new Promise((resolve) => {
    const made = Connection.dial(
      address,
      events({
        onOpen: () => resolve(made),
        onBytes: () => {
          // A full pipe, one that is closed within its own events, and others that read on.
          if (index % 3 === 0) made.write(Buffer.alloc(8 << 20), 0, 8 << 20)
          else if (index % 3 === 1) made.close()
        }
      }),
      memory
    )
  })
  connection.read()
  const [socket] = await far
  socket.on('error', () => {})
  near.push({ connection, socket })
}
for (const { socket } of near) socket.write(Buffer.alloc(100_000))
for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate)
say('busy')
if (what === 'exit') process.exit(0)
say('end me')
