/**
 * Links of yamux whose peers send frames of all kinds in pieces of all sizes, with streams that are joined with sockets, all of which
 * end at any time. Arguments: seed, seconds.
 */
import { closeSync } from 'node:fs'
import net from 'node:net'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { cutOff } from '@rystra/bytes'

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
const links = new Map()
let [memory, events, frames, joined] = [Buffer.allocUnsafeSlow(256 * 1024), 0, 0, 0]

/** Sockets that are being reset. To destroy one while its FIN is on its way would lose its descriptor, see `cutOff`. */
const cut = new WeakSet()
const reset = (socket) => {
  cut.add(socket)
  cutOff(socket)
}
const destroy = (socket) => {
  if (cut.has(socket)) cutOff(socket)
  else socket.destroy()
}

const closeLink = (number) => {
  const link = links.get(number)
  if (link === undefined) return
  links.delete(number)
  native.linkClose(number, random(2))
  link.near.destroy()
  if (random(2) === 0) link.far.destroy()
  else reset(link.far)
  for (const socket of link.sockets) destroy(socket)
}

native.yamuxSetup(memory, rows, (count) => {
  for (let at = 0; at < count * 8; at += 8) {
    const [number, kind, a, b, whole] = rows.subarray(at, at + 5)
    events += 1
    if (kind === 0) for (let index = a; index < b; index += 4096) memory.readUInt8(index)
    if (kind === 1) native.linkEnd(number)
    if (kind === 2 || kind === 8) closeLink(number)
    if (kind === 0 && whole === 1 && random(20) === 0) {
      memory = Buffer.allocUnsafeSlow(pick([65_536, 300_000]))
      native.yamuxMemory(memory)
    }
    if (kind === 10) native.streamAnswer(number, a)
    if (kind === 10 && random(2) === 0) native.streamAccept(number, a, random(8))
    if (random(200) === 0) closeLink(number)
    if (random(50) === 0) native.streamDrop(number, a)
    // Without the end of the peer its socket would keep the process.
    if (kind === 6 && random(5) === 0) native.streamLeave(number, a)
  }
})

native.connectionMemory(Buffer.allocUnsafeSlow(512 * 1024))
const addresses = new Int32Array(20)

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  accepted?.(socket)
})
let accepted
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const pair = async () => {
  const coming = new Promise((resolve) => {
    accepted = resolve
  })
  const near = net.connect({ port: server.address().port, host: '127.0.0.1', allowHalfOpen: true })
  const [far] = await Promise.all([coming, once(near, 'connect')])
  for (const socket of [near, far]) socket.on('error', () => {})
  near._handle.readStop()
  return [near, far]
}

const header = (type, flags, id, length) => {
  const bytes = Buffer.alloc(12)
  bytes.writeUInt8(type, 1)
  bytes.writeUInt16BE(flags, 2)
  bytes.writeUInt32BE(id, 4)
  bytes.writeUInt32BE(length, 8)
  return bytes
}

const frame = () => {
  const flags = pick([0, 0, 0, 0, 0, 0, 2, 4, 8, 1, 12, random(65_536)])
  const id = pick([1, 3, 5, 7, 9, 11, random(2 ** 32)])
  frames += 1
  if (random(200) === 0) return Buffer.from(Array.from({ length: 1 + random(40) }, () => random(256)))
  if (random(3) === 0) return header(pick([1, 1, 1, 2, 3]), flags, id, pick([0, 1, 65_536, 2 ** 32 - 1]))
  const length = pick([0, 1, 100, 5000, 40_000, 100_000, 300_000])
  return Buffer.concat([header(0, flags, id, random(100) === 0 ? length + 1 : length), Buffer.alloc(length, 7)])
}

const open = async () => {
  const [near, far] = await pair()
  const number = native.linkOpen(
    near._handle.fd,
    new Float64Array(4),
    pick([1024, 65_536]),
    2 ** 24,
    pick([2 ** 20, 2 ** 26])
  )
  if (number < 0) throw new Error(`linkOpen: ${number}`)
  if (pick([true, false])) far.on('data', () => {})
  links.set(number, { near, far, sockets: [] })
  native.linkStart(number, random(2) === 0 ? Buffer.alloc(0) : frame())
  if (random(3) === 0) near.destroy()
}

const join = async (number, link) => {
  const [near, far] = await pair()
  link.sockets.push(near, far)
  if (!links.has(number)) {
    near.destroy()
    far.destroy()
    return
  }
  const window = pick([262_144, 2 ** 20])
  const at = near._handle === null ? -1 : near._handle.fd
  // One that is the stream's own is a copy, and the socket of Node is closed.
  const copy = at < 0 || random(2) === 0 ? -1 : native.connectionAdopt(at, addresses, 2 ** 31 - 1)
  const fd = copy < 0 ? at : native.connectionPark(copy)
  if (copy >= 0 && fd < 0) native.connectionClose(copy)
  const flags = random(4) + (copy < 0 ? 0 : 4 + 8 * random(2))
  const numbers = Float64Array.of(pick([0, 1000, 2 ** 20]), window, window, random(1000), random(10), flags)
  const [bytes, head, answer] = [pick([0, 0, 100]), pick([0, 50]), pick([0, 5, 16])].map((size) =>
    Buffer.alloc(size, 7)
  )
  let kept = true
  try {
    if (native.streamJoin(number, pick([1, 3, 5, 7, 9, 11]), fd, numbers, bytes, head, answer) === 0) {
      joined += 1
      kept = false
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
  if (copy >= 0) {
    if (kept && fd >= 0) {
      native.connectionUnpark(copy)
      closeSync(fd)
    }
    near.destroy()
  }
  if (random(3) > 0) far.on('data', () => {})
  far.write(Buffer.alloc(pick([0, 1, 3000, 200_000, 2_000_000]), 5))
  if (random(3) === 0) far.end()
  if (random(4) === 0) setImmediate(() => reset(far))
  if (random(4) === 0) near.destroy()
}

const end = Date.now() + Number(seconds) * 1000
while (Date.now() < end) {
  if (links.size < 3) await open()
  const [number, link] = pick([...links])
  if (link.sockets.length < 12 || random(30) === 0) await join(number, link)
  const bytes = Buffer.concat(Array.from({ length: 1 + random(8) }, frame))
  const cut = random(bytes.length + 1)
  if (!link.far.destroyed && link.far.writableLength < 4 << 20) {
    link.far.write(bytes.subarray(0, cut))
    await new Promise((resolve) => setImmediate(resolve))
    link.far.write(bytes.subarray(cut))
  }
  if (links.has(number)) {
    const own = random(10) === 0 ? Buffer.alloc(500_000) : header(2, 1, 0, 7)
    native.linkWrite(number, own, 0, own.length)
    native.streamStats(number, pick([1, 3, 5]), new Float64Array(4))
    if (random(100) === 0) link.far.end()
    if (random(200) === 0) native.linkEnd(number)
  }
  if (random(60) === 0) closeLink(number)
  await new Promise((resolve) => setImmediate(resolve))
}
for (const number of [...links.keys()]) closeLink(number)
server.close()
console.log(`seed ${seed}: ${frames} frames, ${joined} streams joined, ${events} events`)
if (joined === 0 || events === 0) process.exitCode = 1
