/**
 * A line with delay and loss between two network namespaces, where the kernel has no netem: each end is a TUN device whose packets
 * socat carries as UDP to this process, which keeps each for a while, or for ever. Whole IP packets: TCP and QUIC meet it as
 * they would meet a bad network.
 *
 * Asked over IPC: `{ delay, loss }`, one way in milliseconds, and a share from 0 to 1.
 */
import dgram from 'node:dgram'

const [hostA = '', hostB = '', port = ''] = process.argv.slice(2)

/** Bits a second, each way: what this machine carries without losing packets by itself. */
const RATE = 80e6

/** Milliseconds of traffic that the line keeps before it drops what comes: as much as a good router does. */
const QUEUE_MS = 100

let delay = 0
let loss = 0

class Way {
  readonly #queue: { readonly at: number; readonly packet: Buffer }[] = []
  readonly #send: (packet: Buffer) => void
  #head = 0
  /** When the last packet taken is on the wire. */
  #busyUntil = 0

  constructor(send: (packet: Buffer) => void) {
    this.#send = send
  }

  take(packet: Buffer): void {
    const now = performance.now()
    const begin = Math.max(now, this.#busyUntil)
    if (Math.random() < loss || begin - now > QUEUE_MS) return
    this.#busyUntil = begin + (packet.length * 8000) / RATE
    this.#queue.push({ at: this.#busyUntil + delay, packet })
  }

  /** Sends what has waited long enough. */
  turn(now: number): void {
    for (;;) {
      const next = this.#queue[this.#head]
      if (next === undefined || next.at > now) break
      this.#send(next.packet)
      this.#head += 1
    }
    if (this.#head < 1024) return
    this.#queue.splice(0, this.#head)
    this.#head = 0
  }
}

const bound = (host: string): Promise<dgram.Socket> =>
  new Promise((resolve) => {
    const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 8 << 20, sendBufferSize: 8 << 20 })
    socket.bind(Number(port), host, () => resolve(socket))
  })

const [a, b] = await Promise.all([bound(hostA), bound(hostB)])
const peers: { a?: dgram.RemoteInfo; b?: dgram.RemoteInfo } = {}
const toB = new Way((packet) => peers.b !== undefined && b.send(packet, peers.b.port, peers.b.address))
const toA = new Way((packet) => peers.a !== undefined && a.send(packet, peers.a.port, peers.a.address))
a.on('message', (packet, from) => {
  peers.a = from
  toB.take(packet)
})
b.on('message', (packet, from) => {
  peers.b = from
  toA.take(packet)
})
setInterval(() => {
  const now = performance.now()
  toA.turn(now)
  toB.turn(now)
}, 1)
process.on('message', (shape: { delay: number; loss: number }) => {
  delay = shape.delay
  loss = shape.loss
  process.send?.('shaped')
})
process.once('disconnect', () => process.exit())
process.send?.('ready')
