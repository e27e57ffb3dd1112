/** What specs run apart: in a worker, or in a process with few descriptors. */
import { BatchedUdp, nativeStatus } from '@rystra/native'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { parentPort } from 'node:worker_threads'

const what = process.argv[2]
const say = (message) => parentPort?.postMessage(message)

const open = async (onDatagram = () => {}) => {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { socket, udp: BatchedUdp.attach(socket, { onDatagram, onError() {} }), port: socket.address().port }
}

if (what === 'descriptors') {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  nativeStatus()
  try {
    for (;;) openSync('/dev/null')
  } catch {
    // None is left.
  }
  const udp = BatchedUdp.attach(socket, { onDatagram() {}, onError() {} })
  socket.send('by node', socket.address().port, '127.0.0.1')
  const [message] = await once(socket, 'message')
  console.log(JSON.stringify({ attached: udp !== undefined, answered: String(message) }))
  process.exit()
}

if (what === 'first-load') {
  const taken = []
  try {
    for (;;) taken.push(openSync('/dev/null'))
  } catch {
    // None is left.
  }
  const without = nativeStatus().used
  for (const file of taken) closeSync(file)
  console.log(JSON.stringify({ without, later: nativeStatus().used }))
  process.exit()
}

if (what === 'status') {
  const { socket, udp } = await open()
  say({ ...nativeStatus(), attached: udp !== undefined })
  socket.close()
}

if (what === 'unref') {
  const { socket, udp } = await open()
  udp.unref()
  socket.unref()
}

if (what === 'throw') {
  const { udp, port } = await open(() => {
    throw new Error('thrown by a listener')
  })
  udp.post(Buffer.from('x'), port, '127.0.0.1')
}

if (what === 'exit' || what === 'terminate' || what === 'busy') {
  const all = []
  for (let index = 0; index < 5; index += 1) all.push(await open())
  const [{ udp, port }] = all
  udp.post(Buffer.alloc(1000), port, '127.0.0.1')
  if (what === 'busy') {
    // Ends in the middle of traffic.
    for (const each of all) setInterval(() => each.udp.post(Buffer.alloc(1000), port, '127.0.0.1'), 0)
  }
  say('ready')
  if (what === 'exit') process.exit(0)
  else say('end me')
}
