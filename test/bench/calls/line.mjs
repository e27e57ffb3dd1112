/** A line between two ends on loopback, with a rate and a delay each way: a port for TCP or UDP that leads to another one. */
import dgram from 'node:dgram'
import net from 'node:net'
import { once } from 'node:events'

/** Bytes that a router keeps for a direction: with more, TCP is made to wait and UDP loses packets. */
const QUEUE_BYTES = 262_144

/** Calls in order, each at its time: two timers of different lengths may fire in either order. */
const schedule = () => {
  const due = []
  const turn = () => {
    while (due.length > 0 && due[0].at <= performance.now()) due.shift().fn()
    if (due.length > 0) setTimeout(turn, Math.max(1, due[0].at - performance.now()))
  }
  return (at, fn) => {
    due.push({ at, fn })
    if (due.length === 1) setTimeout(turn, Math.max(0, at - performance.now()))
  }
}

/** One direction: bytes leave one after the other at the rate, and arrive after the delay. */
const direction = ({ rate, delay }) => {
  const [leave, arrive] = [schedule(), schedule()]
  let free = 0
  let queued = 0
  return {
    get full() {
      return queued > QUEUE_BYTES
    },
    send: (bytes, arrived, sent = () => {}) => {
      free = Math.max(free, performance.now()) + (bytes.length / rate) * 1000
      queued += bytes.length
      leave(free, () => {
        queued -= bytes.length
        sent()
      })
      arrive(free + delay, arrived)
    }
  }
}

const overTcp = async (target, quality) => {
  const join = (from, to) => {
    const way = direction(quality)
    from.on('data', (chunk) => {
      way.send(
        chunk,
        () => to.writable && to.write(chunk),
        () => !way.full && from.resume()
      )
      if (way.full) from.pause()
    })
    from.on('error', () => {})
    from.on('close', () => to.destroy())
  }
  const server = net.createServer({ noDelay: true }, (near) => {
    const far = net.connect({ port: target, host: '127.0.0.1', noDelay: true })
    join(near, far)
    join(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: server.address().port, close: () => server.close() }
}

const overUdp = async (target, quality) => {
  const [near, far] = [dgram.createSocket('udp4'), dgram.createSocket('udp4')]
  const [up, down] = [direction(quality), direction(quality)]
  let client = 0
  let closed = false
  const carry = (packet, way, to, port) => {
    if (!way.full) way.send(packet, () => closed || to.send(packet, port(), '127.0.0.1'))
  }
  near.on('message', (packet, { port }) => {
    client = port
    carry(packet, up, far, () => target)
  })
  far.on('message', (packet) => carry(packet, down, near, () => client))
  for (const socket of [near, far]) socket.bind(0, '127.0.0.1')
  await Promise.all([near, far].map((socket) => once(socket, 'listening')))
  const close = () => {
    closed = true
    near.close()
    far.close()
  }
  return { port: near.address().port, close }
}

/** @param quality `rate` in bytes a second, `delay` in milliseconds each way */
export const openLine = (udp, target, quality) => (udp ? overUdp : overTcp)(target, quality)
