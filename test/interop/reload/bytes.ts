import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { loopback } from '../../bench/address.js'

/** Milliseconds between two blocks of one stream. */
const PACE_MS = 100
const SETTLE_MS = 30_000

/** One stream: sends a block, takes it back, compares, and sends the next. */
class Echoed {
  readonly socket: net.Socket
  sent = 0
  came = 0
  wrong = false
  closed = false
  #over = false
  readonly #block = randomBytes(512)

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#send()
  }

  get settled(): boolean {
    return this.closed || this.came === this.sent
  }

  stop(): void {
    this.#over = true
  }

  #send(): void {
    if (this.#over || this.closed) return
    this.sent += this.#block.length
    this.socket.write(this.#block)
  }

  #take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      const from = this.came % this.#block.length
      const length = Math.min(chunk.length - at, this.#block.length - from)
      this.wrong ||= !chunk.subarray(at, at + length).equals(this.#block.subarray(from, from + length))
      at += length
      this.came += length
    }
    if (this.came === this.sent) setTimeout(() => this.#send(), PACE_MS).unref()
  }
}

/** Streams that are open over everything that happens, and what became of their bytes. */
export class Bytes {
  readonly #streams: Echoed[] = []

  get cut(): number {
    return this.#streams.filter(({ closed }) => closed).length
  }

  get lost(): number {
    return this.#streams.reduce((sum, { sent, came }) => sum + sent - came, 0)
  }

  get total(): number {
    return this.#streams.reduce((sum, { came }) => sum + came, 0)
  }

  /** Through a tcp proxy. */
  async open(port: number, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const socket = net.connect(port, loopback)
      await once(socket, 'connect')
      this.#streams.push(new Echoed(socket))
    }
  }

  /** Through an http proxy, by a change of the protocol (RFC 9110 section 7.8). */
  async upgrade(port: number, count: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const socket = net.connect(port, loopback)
      const head = ['GET /echo HTTP/1.1', 'Host: web.example.org', 'Connection: Upgrade', 'Upgrade: websocket']
      const key = ['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', '', '']
      socket.write([...head, ...key].join('\r\n'))
      const [answer] = (await once(socket, 'data')) as [Buffer]
      if (!answer.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(answer.toString('latin1'))
      this.#streams.push(new Echoed(socket))
    }
  }

  /** Whether all that was sent has come back, as it was, and no stream was cut. */
  async settle(): Promise<boolean> {
    for (const stream of this.#streams) stream.stop()
    const deadline = performance.now() + SETTLE_MS
    while (!this.#streams.every(({ settled }) => settled) && performance.now() < deadline)
      await new Promise((resolve) => void setTimeout(resolve, PACE_MS))
    return this.cut === 0 && this.lost === 0 && !this.#streams.some(({ wrong }) => wrong)
  }

  async close(): Promise<void> {
    for (const { socket } of this.#streams) socket.destroy()
    await new Promise((resolve) => setImmediate(resolve))
  }
}
