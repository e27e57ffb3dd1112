import { once } from 'node:events'
import net from 'node:net'

/** A way to Redis whose first line is held: what was sent on it arrives after the line was given up, as on a network that was cut. */
export class LateLine {
  readonly #server: net.Server
  readonly #held: Buffer[] = []
  #first: net.Socket | undefined
  #holds = false

  private constructor(port: number) {
    this.#server = net.createServer((socket) => this.#pass(socket, net.connect(port, '127.0.0.1')))
  }

  static async to(port: number): Promise<LateLine> {
    const line = new LateLine(port)
    await once(line.#server.listen(0, '127.0.0.1'), 'listening')
    return line
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}`
  }

  /** Calls that are on their way. */
  get waiting(): number {
    return this.#held.length
  }

  hold(): void {
    this.#holds = true
  }

  /** Resolves when Redis has answered all that was held. */
  async arrive(): Promise<void> {
    const first = this.#first as net.Socket
    const answered = once(first, 'data')
    first.write(Buffer.concat(this.#held))
    await answered
  }

  close(): void {
    this.#first?.destroy()
    this.#server.close()
  }

  #pass(near: net.Socket, far: net.Socket): void {
    const isFirst = this.#first === undefined
    this.#first ??= far
    near.on('error', () => {})
    far.on('error', () => {})
    near.on('data', (bytes) => {
      if (isFirst && this.#holds) this.#held.push(bytes)
      else far.write(bytes)
    })
    far.on('data', (bytes) => near.write(bytes))
    near.on('close', () => isFirst || far.destroy())
  }
}
