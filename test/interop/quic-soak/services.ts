import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { loopback } from '../../bench/address.js'

const chunk = randomBytes(64 * 1024)

const listening = async (server: net.Server): Promise<number> => {
  server.listen(0, loopback)
  await once(server, 'listening')
  return (server.address() as net.AddressInfo).port
}

/** What stands behind the tunnels: pages, websockets that echo, streams that echo, and downloads without an end. */
export class Services {
  readonly web: number
  readonly echo: number
  readonly bulk: number
  readonly #servers: net.Server[]

  private constructor(servers: net.Server[], [web = 0, echo = 0, bulk = 0]: number[]) {
    this.#servers = servers
    this.web = web
    this.echo = echo
    this.bulk = bulk
  }

  /** @param megabits of one download each second; 0 for as much as is taken */
  static async start(megabits: number): Promise<Services> {
    const web = http.createServer((_, response) => response.end(chunk.subarray(0, 4096)))
    web.on('upgrade', (_request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
      socket.on('error', () => {})
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
      if (head.length > 0) socket.write(head)
      socket.pipe(socket)
    })
    const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
    const bulk = net.createServer((socket) => send(socket, megabits))
    const servers = [web, echo, bulk]
    return new Services(servers, await Promise.all(servers.map(listening)))
  }

  close(): void {
    for (const server of this.#servers) server.close()
  }
}

const send = (socket: net.Socket, megabits: number): void => {
  socket.on('error', () => {}).resume()
  let full = false
  const more = (most: number): void => {
    let left = most
    while (!full && left > 0 && !socket.destroyed) {
      full = !socket.write(left < chunk.length ? chunk.subarray(0, left) : chunk)
      left -= chunk.length
    }
  }
  socket.on('drain', () => {
    full = false
    if (megabits === 0) more(Number.POSITIVE_INFINITY)
  })
  if (megabits === 0) more(Number.POSITIVE_INFINITY)
  else {
    const timer = setInterval(() => more((megabits * 1e6) / 8 / 50), 20)
    socket.once('close', () => clearInterval(timer))
  }
}
