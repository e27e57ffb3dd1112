import { randomBytes } from 'node:crypto'
import dgram from 'node:dgram'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { loopback } from '../../bench/address.js'

const HOST = 'app.localhost'
const IDLE = 100
const SOCKETS = 20
/** Each holds a descriptor at the client: as many all the time, however fast the machine is. */
const VISITORS = 100
const MiB = 1024 ** 2

/** What is served behind the tunnel. */
export interface Services {
  readonly web: number
  readonly echo: number
  readonly datagrams: number
  close(): void
}

const listening = async (server: net.Server): Promise<number> => {
  server.listen(0, loopback)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A web service, an echo of streams and one of datagrams. */
export const startServices = async (): Promise<Services> => {
  const body = randomBytes(MiB)
  const web = http.createServer((request, response) => {
    const size = Number(new URL(request.url ?? '/', 'http://x').searchParams.get('size') ?? 0)
    request.resume().on('end', () => response.end(body.subarray(0, size)))
  })
  web.on('upgrade', (_request, socket: net.Socket) => {
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    socket.pipe(socket)
  })
  const echo = net.createServer((socket) => socket.on('error', () => {}).pipe(socket))
  const datagrams = dgram.createSocket('udp4')
  datagrams.on('message', (message, { port, address }) => datagrams.send(message, port, address))
  datagrams.bind(0, loopback)
  await once(datagrams, 'listening')
  const [webPort, echoPort] = [await listening(web), await listening(echo)]
  return {
    web: webPort,
    echo: echoPort,
    datagrams: datagrams.address().port,
    close() {
      web.close().closeAllConnections()
      echo.close()
      datagrams.close()
    }
  }
}

/** Where visitors reach what is published. */
export interface Published {
  readonly http: number
  readonly tcp: number
  readonly udp: number
  /** Where clients connect. */
  readonly control: number
}

/** What was done, by kind. */
export type Counts = Record<string, number>

/** Visitors of all kinds, until the signal; what goes wrong is in `failures`. */
export class Load {
  readonly counts: Counts = {}
  readonly failures: string[] = []
  readonly #at: Published
  readonly #signal: AbortSignal
  readonly #visitors: (dgram.Socket | undefined)[] = []
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: 8 })

  constructor(at: Published, signal: AbortSignal) {
    this.#at = at
    this.#signal = signal
  }

  /** Resolves when all of it has ended. */
  async run(): Promise<void> {
    const idle = await Promise.all(Array.from({ length: IDLE }, () => this.#connect(this.#at.tcp)))
    await this.#ageVisitors()
    await Promise.all([
      this.#lane('requests', 10, (turn) => this.#request(turn)),
      this.#lane('requests', 10, (turn) => this.#request(turn)),
      this.#lane('connections', 20, () => this.#echo(1024)),
      this.#lane('transfers', 2000, () => this.#echo(16 * MiB)),
      this.#lane('datagrams', 50, (turn) => this.#datagram(turn)),
      this.#lane('refused', 1000, () => this.#garbage()),
      ...Array.from({ length: SOCKETS }, () => this.#upgraded())
    ])
    for (const socket of idle) {
      if (socket.destroyed) this.#failed('an idle connection ended')
      socket.destroy()
    }
    for (const at of this.#visitors.keys()) this.#forgetVisitor(at)
    this.#agent.destroy()
  }

  #failed(text: string): void {
    if (!this.#signal.aborted && this.failures.length < 100) this.failures.push(text)
  }

  #did(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }

  async #lane(what: string, every: number, work: (turn: number) => Promise<void>): Promise<void> {
    for (let turn = 0; !this.#signal.aborted; turn += 1) {
      try {
        await work(turn)
        this.#did(what)
      } catch (error) {
        this.#failed(`${what}: ${(error as Error).message}`)
      }
      await pause(every)
    }
  }

  async #connect(port: number): Promise<net.Socket> {
    const socket = net.connect({ host: loopback, port })
    await once(socket, 'connect')
    return socket.on('error', () => {})
  }

  #request(turn: number): Promise<void> {
    const size = turn % 100 === 0 ? MiB : (turn * 37) % 20_000
    return new Promise((resolve, reject) => {
      const request = http.request({
        host: loopback,
        port: this.#at.http,
        agent: this.#agent,
        method: turn % 3 === 0 ? 'POST' : 'GET',
        path: `/?size=${size}`,
        headers: { host: HOST, authorization: 'Bearer soak' }
      })
      request.on('error', reject).on('response', (response) => {
        let length = 0
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
        })
        response.on('error', reject).on('end', () => {
          if (response.statusCode === 200 && length === size) resolve()
          else reject(new Error(`status ${response.statusCode} with ${length} of ${size} bytes`))
        })
      })
      request.end(turn % 3 === 0 ? 'x'.repeat(500) : undefined)
    })
  }

  async #echo(size: number): Promise<void> {
    const socket = await this.#connect(this.#at.tcp)
    let length = 0
    socket.on('data', (chunk: Buffer) => {
      length += chunk.length
    })
    const over = once(socket, 'close')
    socket.end(Buffer.alloc(size, 1))
    await over
    if (length !== size) throw new Error(`${length} of ${size} bytes came back`)
  }

  /**
   * A session of datagrams has a second descriptor once the native part has taken it over: visitors begin with as many datagrams behind
   * them as they would have after many rounds.
   */
  async #ageVisitors(): Promise<void> {
    for (let at = 0; at < VISITORS; at += 1) {
      for (let age = VISITORS - at; age > 0; age -= 1) await this.#exchange(at)
    }
  }

  /** By one visitor after the other; in each round another one of them is new. */
  async #datagram(turn: number): Promise<void> {
    const at = turn % VISITORS
    if (at === Math.floor(turn / VISITORS) % VISITORS) this.#forgetVisitor(at)
    await this.#exchange(at)
  }

  /** One datagram to the service, and its answer. */
  async #exchange(at: number): Promise<void> {
    this.#visitors[at] ??= dgram.createSocket('udp4')
    const socket = this.#visitors[at]
    try {
      const answered = once(socket, 'message', { signal: AbortSignal.timeout(10_000) })
      socket.send('soak', this.#at.udp, loopback)
      await answered
    } catch (error) {
      this.#forgetVisitor(at)
      throw error
    }
  }

  #forgetVisitor(at: number): void {
    this.#visitors[at]?.close()
    this.#visitors[at] = undefined
  }

  /** What is no client: refused, and counted. */
  async #garbage(): Promise<void> {
    const socket = await this.#connect(this.#at.control)
    const over = once(socket, 'close')
    socket.end('GET / HTTP/1.0\r\n\r\n').resume()
    await over
  }

  async #upgraded(): Promise<void> {
    const socket = await this.#connect(this.#at.http)
    socket.write(`GET /ws HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
    await once(socket, 'data')
    let got = 0
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length
    })
    let sent = 0
    while (!this.#signal.aborted && !socket.destroyed) {
      socket.write('a message of some length')
      sent += 24
      this.#did('messages')
      await pause(200)
    }
    if (socket.destroyed || got < sent - 24 * 50) this.#failed(`a WebSocket got ${got} of ${sent} bytes`)
    socket.destroy()
  }
}
