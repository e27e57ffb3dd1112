/**
 * The service at the far end, as a process of its own. The first byte of a connection says what it shall do: `S` sinks and
 * counts, `D` sends until it is closed, `E` echoes.
 */
// Not of the package's face, but the bare trick: the generator must not be slower than what it measures.
import { canReadInto, readInto } from '../../../framework/bytes/src/onread.js'
import { randomBytes } from 'node:crypto'
import net from 'node:net'
import { loopback } from '../address.js'
import type { Count } from './bulk.js'
import { serve } from './remote.js'

/** No byte is rarer than another: a hook may look for some. */
const block = randomBytes(1 << 20)

interface Front {
  readonly server: net.Server
  readonly sockets: Set<net.Socket>
  /** Bytes sunk so far. */
  bytes: number
}

const fronts = new Map<number, Front>()

const sink = (socket: net.Socket, front: Front): void => {
  const count = (bytes: number): boolean => {
    front.bytes += bytes
    return true
  }
  if (canReadInto(socket)) {
    const buffer = Buffer.allocUnsafeSlow(1 << 20)
    readInto(socket, buffer, count, () => undefined)
  } else socket.on('data', (chunk) => count(chunk.length))
}

const flood = (socket: net.Socket): void => {
  const next = (error?: Error | null): void => {
    if (!error && socket.writable) socket.write(block, next)
  }
  next()
}

const take = (socket: net.Socket, front: Front): void => {
  front.sockets.add(socket)
  socket.setNoDelay(true)
  socket.once('close', () => front.sockets.delete(socket))
  socket.on('error', () => socket.destroy())
  socket.once('end', () => socket.end())
  socket.once('data', (first: Buffer) => {
    const rest = first.subarray(1)
    if (first[0] === 0x53) {
      front.bytes += rest.length
      sink(socket, front)
    } else if (first[0] === 0x44) flood(socket)
    else {
      if (rest.length > 0) socket.write(rest)
      socket.on('data', (chunk) => socket.write(chunk))
    }
  })
}

const front = (port: number): Front => {
  const found = fronts.get(port)
  if (found === undefined) throw new Error(`the service has no port ${port}`)
  return found
}

serve({
  /** A port of its own for each route, so that none runs out of port numbers because of another. */
  listen: () =>
    new Promise((resolve, reject) => {
      const made: Front = { server: net.createServer(), sockets: new Set(), bytes: 0 }
      made.server.on('connection', (socket) => take(socket, made))
      made.server.once('error', reject)
      made.server.listen({ port: 0, host: loopback, backlog: 4096 }, () => {
        const { port } = made.server.address() as net.AddressInfo
        fronts.set(port, made)
        resolve(port)
      })
    }),
  count: (port: number): Count => ({ bytes: front(port).bytes, at: performance.now() }),
  /** How many connections are open. */
  open: (port: number) => front(port).sockets.size,
  /** Closes what is open still. */
  drop: (port: number) => {
    for (const socket of front(port).sockets) socket.destroy()
  }
})
