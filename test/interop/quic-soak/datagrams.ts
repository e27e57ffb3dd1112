import dgram from 'node:dgram'
import { once } from 'node:events'
import { loopback } from '../../bench/address.js'

/** Between two rounds of a sender. */
const ROUND_MS = 10
const FLOWS = 4
const HEAD_BYTES = 8

const bind = async (): Promise<dgram.Socket> => {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4_000_000, sendBufferSize: 4_000_000 })
  socket.on('error', () => {})
  socket.bind(0, loopback)
  await once(socket, 'listening')
  return socket
}

/** A service that sends each datagram back, and counts those of each visitor. */
export class Mirror {
  readonly #socket: dgram.Socket
  readonly port: number
  /** By the first word of a datagram: whose it is. */
  readonly seen = new Map<number, number>()

  private constructor(socket: dgram.Socket) {
    this.#socket = socket
    this.port = socket.address().port
    socket.on('message', (message, { port, address }) => {
      const flow = message.readUInt32BE(0)
      this.seen.set(flow, (this.seen.get(flow) ?? 0) + 1)
      socket.send(message, port, address)
    })
  }

  static async start(): Promise<Mirror> {
    return new Mirror(await bind())
  }

  close(): void {
    this.#socket.close()
  }
}

/** Visitors that send at a steady pace, and count what comes back. */
export class DatagramLoad {
  sent = 0
  back = 0
  readonly #sockets: dgram.Socket[]
  readonly #timer: NodeJS.Timeout
  readonly #base: number
  readonly #mirror: Mirror

  private constructor(sockets: dgram.Socket[], base: number, mirror: Mirror, port: number, rate: number) {
    this.#sockets = sockets
    this.#base = base
    this.#mirror = mirror
    const since = performance.now()
    const payload = Buffer.alloc(1200, 7)
    for (const socket of sockets) socket.on('message', () => (this.back += 1))
    this.#timer = setInterval(() => {
      // What a busy process is late with is left out: it would come as a burst, which is another load.
      const due = Math.min(Math.floor(((performance.now() - since) * rate) / 1000) - this.#planned, rate / 20)
      this.#planned = Math.floor(((performance.now() - since) * rate) / 1000)
      for (let one = 0; one < due; one += 1) {
        const flow = this.sent % sockets.length
        const length = HEAD_BYTES + ((this.sent * 97) % 1150)
        const datagram = Buffer.from(payload.subarray(0, length))
        datagram.writeUInt32BE(base + flow)
        datagram.writeUInt32BE(this.sent >>> 0, 4)
        ;(sockets[flow] as dgram.Socket).send(datagram, port, loopback)
        this.sent += 1
      }
    }, ROUND_MS)
  }

  #planned = 0

  /** @param base the number of the first visitor, its own for each load @param rate datagrams a second, of all visitors */
  static async start(base: number, mirror: Mirror, port: number, rate: number): Promise<DatagramLoad> {
    const sockets = await Promise.all(Array.from({ length: FLOWS }, bind))
    return new DatagramLoad(sockets, base, mirror, port, rate)
  }

  /** How many reached the service. */
  get reached(): number {
    return this.#sockets.reduce((sum, _, flow) => sum + (this.#mirror.seen.get(this.#base + flow) ?? 0), 0)
  }

  /** Sends no more; what is on the way may still arrive. */
  stop(): void {
    clearInterval(this.#timer)
  }

  close(): void {
    for (const socket of this.#sockets) socket.close()
  }

  toString(): string {
    const { sent, reached, back } = this
    const percent = (lost: number, of: number): string => `${((100 * lost) / Math.max(1, of)).toFixed(2)} %`
    return `${sent} sent, lost ${sent - reached} on the way to the service (${percent(sent - reached, sent)}), ${reached - back} on the way back (${percent(reached - back, reached)})`
  }
}
