import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import dgram from 'node:dgram'
import { loopback } from '../../bench/address.js'
import { must } from './trial.js'

/** The largest of IPv4. */
const largest = 65_507
/** On the way at once: less than what a socket holds, so that a loss is a fault. */
const windowBytes = 100_000
const bytes = randomBytes(largest)

const bound = async (onMessage: (socket: dgram.Socket, message: Buffer, from: dgram.RemoteInfo) => void) => {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4_000_000, sendBufferSize: 4_000_000 })
  socket.on('message', (message, from) => onMessage(socket, message, from))
  socket.on('error', () => {})
  socket.bind(0, loopback)
  await once(socket, 'listening')
  return socket
}

/** A service that sends every datagram back. */
export const startMirror = async (): Promise<{ port: number; close(): void }> => {
  const socket = await bound((itself, message, { port, address }) => itself.send(message, port, address))
  return { port: socket.address().port, close: () => socket.close() }
}

/** A datagram of a length has its own contents: where it begins in `bytes` is its length. */
const datagram = (length: number): Buffer => {
  const from = length % 97
  const whole = Buffer.from(bytes.subarray(0, length))
  if (length >= 4) whole.writeUInt32BE(length)
  else whole.fill(length)
  if (length > 200) bytes.copy(whole, 100, from, from + length - 100)
  return whole
}

/** Every length up to 2,000, and the last 500, and each 37th between; the environment may ask for all. */
const lengths = (): number[] => {
  const all = Array.from({ length: largest }, (_, index) => index + 1)
  if (process.env['RYSTRA_INTEROP_ALL'] !== undefined) return all
  return all.filter((length) => length <= 2000 || length > largest - 500 || length % 37 === 0)
}

/**
 * Each length from 1 to 65,507 bytes there and back, some at once. What is lost is sent again, as programs do that use UDP, and
 * counted.
 */
export const boundaries = async (port: number): Promise<string> => {
  const wanted = lengths()
  const under = new Map<number, { since: number; times: number }>()
  let [back, lost, wrong, twice, next, way] = [0, 0, 0, 0, 0, 0]
  let finish = (): void => {}
  let fail = (_error: Error): void => {}
  const over = new Promise<void>((resolve, reject) => {
    finish = resolve
    fail = reject
  })
  const socket = await bound((_, message) => {
    const { length } = message
    if (!message.equals(datagram(length))) wrong += 1
    else if (under.delete(length)) {
      back += 1
      way -= length
    } else twice += 1
    if (back === wanted.length) finish()
    else more()
  })
  const send = (length: number, times: number): void => {
    under.set(length, { since: performance.now(), times })
    socket.send(datagram(length), port, loopback)
  }
  const more = (): void => {
    for (let length = wanted[next]; length !== undefined; length = wanted[next]) {
      if (way > 0 && way + length > windowBytes) return
      way += length
      next += 1
      send(length, 1)
    }
  }
  const timer = setInterval(() => {
    for (const [length, { since, times }] of under) {
      if (performance.now() - since < 3000) continue
      lost += 1
      if (times === 5) fail(new Error(`a datagram of ${length} bytes never comes back; ${back} others did`))
      send(length, times + 1)
    }
  }, 500)
  try {
    more()
    await over
  } finally {
    clearInterval(timer)
    socket.close()
  }
  must(wrong === 0, `${wrong} datagrams came back other than they went`)
  return `${wanted.length.toLocaleString('en')} lengths from 1 to 65,507 bytes came back whole; ${lost} sent again, ${twice} twice`
}
