/** Calls every function of the binary with arguments of all kinds, valid and not. Arguments: seed, seconds. */
import dgram from 'node:dgram'
import { once } from 'node:events'
import { createRequire } from 'node:module'

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
const received = new Int32Array(160)
native.setup(Buffer.allocUnsafeSlow(16 * 65_536), received)
const memory = Buffer.alloc(128 * 1024)
const rows = new Int32Array(1280)
const sockets = []
let delivered = 0

const open = async () => {
  const six = random(3) === 0
  const socket = dgram.createSocket(six ? 'udp6' : 'udp4').bind(0, six ? '::1' : '127.0.0.1')
  await once(socket, 'listening')
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'state symbol')
  const { handle } = socket[symbol]
  const one = { socket, port: socket.address().port, closed: false }
  const deliver = (what) => {
    delivered += Math.max(what, 0)
    if (random(50) === 0) native.close(one.object)
  }
  one.object = native.attach(handle.fd, deliver, random(2) === 0, random(2) === 0)
  handle.recvStop()
  sockets.push(one)
}

const wild = () => pick([-1, 0, 1, 2, 65_535, 65_536, 0x7fffffff, -0x80000000, random(2 ** 31), memory.length])
const hosts = [
  '127.0.0.1',
  '::1',
  '::ffff:127.0.0.1',
  'fe80::1%lo',
  '%',
  '',
  'x'.repeat(100),
  '1.2.3.4.5',
  '::\0',
  '\ud800'
]
const junk = [undefined, null, 1, 'x', {}, [], () => {}, new Uint8Array(3), Buffer.alloc(0), new Int32Array(1), NaN]

const fill = (count) => {
  let at = 0
  const size = pick([0, 1, 100, 1200, 1452, 9000, 65_507])
  for (let row = 0; row < count; row += 1) {
    const length = random(20) === 0 ? random(size + 1) : size
    const to = pick(sockets)
    rows.fill(0, row * 10, row * 10 + 10)
    if (random(8) > 0) native.parse(pick(hosts.slice(0, 3)), rows.subarray(row * 10, row * 10 + 10))
    rows[row * 10] = at
    rows[row * 10 + 1] = at + length > memory.length ? 0 : length
    rows[row * 10 + 2] = 0
    rows[row * 10 + 4] = to?.port ?? 0
    at += rows[row * 10 + 1]
    if (random(500) === 0) rows[row * 10 + random(10)] = wild()
  }
}

const attempt = (call) => {
  try {
    call()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
  }
}

const end = Date.now() + Number(seconds) * 1000
let calls = 0
while (Date.now() < end) {
  if (sockets.length < 4) await open()
  const { object } = pick(sockets)
  const count = random(6) === 0 ? random(200) : random(20)
  fill(Math.min(count, 128))
  attempt(() => native.send(object, memory, rows, count))
  attempt(() => native.parse(pick(hosts), new Int32Array(pick([0, 9, 10]))))
  attempt(() => native.format(received, pick([0, 10, 150, 151, -1, 1e9])))
  attempt(() => native[pick(Object.keys(native))](pick([object, ...junk]), pick(junk), pick(junk), pick(junk)))
  calls += 4
  if (random(40) === 0) {
    const [one] = sockets.splice(random(sockets.length), 1)
    // Either may be first, and one alone leaves the other to the end of the process.
    const ends = [() => native.close(one.object), () => one.socket.close()]
    for (const close of random(2) === 0 ? ends : ends.reverse()) close()
  }
  if (calls % 64 === 0) await new Promise((resolve) => setImmediate(resolve))
}
for (const { object, socket } of sockets) {
  native.close(object)
  socket.close()
}
console.log(`seed ${seed}: ${calls} calls, ${delivered} messages received`)
