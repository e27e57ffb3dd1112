/**
 * Connections that are dialed, adopted, read, paused, written, ended, handed out and closed in any order, whose peers end and reset at
 * any time. Arguments: seed, seconds.
 */
import { cutOff } from '@rystra/bytes'
import { closeSync, readdirSync } from 'node:fs'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'

const [seed = '1', seconds = '10'] = process.argv.slice(2)
let state = Number(seed) >>> 0
/** xorshift32: the same numbers for the same seed. */
const random = (below) => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  state >>>= 0
  return state % below
}
const pick = (values) => values[random(values.length)]

const native = createRequire(import.meta.url)(process.env.RYSTRA_NATIVE)
const rows = new Int32Array(8 * 256)
const reads = Buffer.alloc(256 * 1024)
const address = new Int32Array(20)
const bytes = Buffer.alloc(1 << 20, 7)
const open = new Set()
const far = new Set()
let [events, received, opened] = [0, 0, 0]

const close = (number) => {
  open.delete(number)
  native.connectionClose(number)
}

const act = (number) => {
  const size = pick([0, 1, 100, 65_536, bytes.length])
  const detach = () => {
    const fd = native.connectionDetach(number)
    if (fd < 0) return
    open.delete(number)
    closeSync(fd)
  }
  const acts = [
    () => native.connectionRead(number, 1),
    () => native.connectionRead(number, 1),
    () => native.connectionRead(number, 0),
    () => native.connectionWrite(number, bytes, 0, size),
    () => native.connectionWrite(number, bytes, 0, size),
    () => native.connectionEnd(number)
  ]
  const rare = random(20)
  if (rare === 0) detach()
  else if (rare === 1) close(number)
  else pick(acts)()
}

native.yamuxSetup(Buffer.alloc(65_536), rows, (count) => {
  for (let at = 0; at < count * 8; at += 8) {
    const [number, kind, a, b] = rows.subarray(at, at + 4)
    events += 1
    if (kind === 12) received += reads.readUInt8(a) + reads.readUInt8(b - 1) > 0 ? b - a : 0
    if (kind === 15) open.delete(number)
    else if (open.has(number) && random(2) === 0) act(number)
    // Another one, events of which may be told after this.
    if (random(10) === 0 && open.size > 0) act(pick([...open]))
  }
})
native.connectionMemory(reads)

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  far.add(socket)
  socket.on('error', () => {}).on('close', () => far.delete(socket))
  if (random(4) > 0) socket.resume()
})
await once(server.listen(0, '127.0.0.1'), 'listening')
const { port } = server.address()

const dial = () => {
  native.parse(random(20) === 0 ? '::1' : '127.0.0.1', address)
  address[4] = random(20) === 0 ? 1 : port
  const number = native.connectionDial(address)
  if (number < 0) return
  open.add(number)
  opened += 1
}

const adopt = async () => {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const number = native.connectionAdopt(socket._handle.fd, address, 2 ** 31 - 1)
  if (number >= 0) open.add(number)
  opened += 1
  socket.destroy()
}

const peer = () => {
  const socket = pick([...far])
  pick([
    () => socket.write(bytes.subarray(0, pick([1, 1000, bytes.length]))),
    () => socket.end(),
    () => cutOff(socket),
    () => socket.pause(),
    () => socket.resume()
  ])()
}

const end = Date.now() + Number(seconds) * 1000
while (Date.now() < end) {
  if (open.size < 50) {
    if (random(4) === 0) await adopt()
    else dial()
  }
  if (open.size > 0) act(pick([...open]))
  if (random(8) === 0) act(random(2 ** 31))
  if (far.size > 0 && random(3) === 0) peer()
  if (random(4) === 0) await new Promise((resolve) => setImmediate(resolve))
}
for (const number of [...open]) close(number)
for (const socket of far) cutOff(socket)
server.close()
for (let turn = 0; turn < 100 && far.size > 0; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10))
const left = readdirSync('/proc/self/fd').length
console.log(
  `seed ${seed}: ${opened} connections, ${events} events, ${received} bytes received, ${left} descriptors left`
)
