/**
 * The service that requests end at, as a process of its own. It answers heads without looking at them, so that it costs little beside
 * what is measured: requests have no bodies here.
 */
import net from 'node:net'
import { loopback } from '../address.js'
import { serve } from './remote.js'

/** Bytes of the body of each answer. */
const BODY = 1024

const answer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${BODY}\r\nServer: bench\r\n\r\n${'.'.repeat(BODY)}`
)
const end = Buffer.from('\r\n\r\n')
/** Answers to as many requests as came in one piece. */
const answers = (count: number): Buffer =>
  count === 1 ? answer : Buffer.concat(Array.from({ length: count }, () => answer))

const take = (socket: net.Socket): void => {
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  let begun: Buffer | undefined
  socket.on('data', (chunk: Buffer) => {
    const bytes = begun === undefined ? chunk : Buffer.concat([begun, chunk])
    let count = 0
    let at = 0
    for (let next = bytes.indexOf(end); next !== -1; next = bytes.indexOf(end, at)) {
      at = next + end.length
      count++
    }
    begun = at < bytes.length ? bytes.subarray(at) : undefined
    if (count > 0) socket.write(answers(count))
  })
}

serve({
  listen: () =>
    new Promise((resolve, reject) => {
      const server = net.createServer(take)
      server.once('error', reject)
      server.listen({ port: 0, host: loopback, backlog: 4096 }, () =>
        resolve((server.address() as net.AddressInfo).port)
      )
    })
})
