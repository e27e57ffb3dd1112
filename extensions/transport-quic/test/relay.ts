import dgram from 'node:dgram'
import { once } from 'node:events'
import { later } from './ends.js'

/** A network between one client and a server: what goes through it can be seen, lost, held, and come from foreign. */
export class Relay {
  /** What the client sent, in order. */
  readonly sent: Buffer[] = []
  /** Bytes each way. */
  up = 0
  down = 0
  /** Whether a packet gets through. */
  passes: (packet: Buffer, way: 'up' | 'down') => boolean = () => true
  /** Whether packets from and to this port of the client get through. */
  passesFrom: (port: number) => boolean = () => true
  /** Packets from the client wait until they are released. */
  holding = false
  /** Ports that the server has seen the client at. */
  readonly ports = new Set<number>()

  readonly #front: dgram.Socket
  readonly #server: number
  #back: dgram.Socket
  #client = 0
  #held: Buffer[] = []

  private constructor(front: dgram.Socket, back: dgram.Socket, server: number) {
    this.#front = front
    this.#back = back
    this.#server = server
    front.on('message', (packet, { port }) => {
      if (!this.passesFrom(port)) return
      this.#client = port
      this.sent.push(packet)
      if (!this.passes(packet, 'up')) return
      if (this.holding) this.#held.push(packet)
      else this.#up(packet)
    })
    this.#listen(back)
  }

  static async to(server: number): Promise<Relay> {
    const relay = new Relay(await bound(), await bound(), server)
    later(() => relay.close())
    return relay
  }

  get port(): number {
    return this.#front.address().port
  }

  #listen(back: dgram.Socket): void {
    this.ports.add(back.address().port)
    back.on('message', (packet) => {
      this.down += packet.length
      if (this.passes(packet, 'down') && this.passesFrom(this.#client))
        this.#front.send(packet, this.#client, '127.0.0.1')
    })
  }

  #up(packet: Buffer): void {
    this.up += packet.length
    this.#back.send(packet, this.#server, '127.0.0.1')
  }

  /** Releases what was held. */
  release(): void {
    this.holding = false
    for (const packet of this.#held.splice(0)) this.#up(packet)
  }

  /** Like a NAT that has forgotten the client: it comes from another port from now on, and the old one is gone. */
  async rebind(): Promise<void> {
    const before = this.#back
    const next = await bound()
    this.#listen(next)
    this.#back = next
    before.close()
  }

  close(): void {
    this.#front.close()
    this.#back.close()
  }
}

/** A socket on a free port. */
export const bound = async (): Promise<dgram.Socket> => {
  const socket = dgram.createSocket('udp4')
  socket.on('error', () => {})
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}
