import { randomBytes } from 'node:crypto'
import net from 'node:net'
import type { Address } from '../address.js'

/** Bytes that have come so far, and when that was, on the clock of the process that counted. */
export interface Count {
  readonly bytes: number
  /** Milliseconds. */
  readonly at: number
}

/** `up` is from visitor to service. */
export type Direction = 'up' | 'down'

/** No byte is rarer than another: a hook may look for some. */
const block = randomBytes(1 << 20)

/** The visitor's end of a bulk transfer over several streams at once. Runs until it is stopped. */
export class Bulk {
  readonly #sockets: net.Socket[] = []
  #bytes = 0
  #failure: Error | undefined

  get count(): Count {
    if (this.#failure !== undefined) throw this.#failure
    return { bytes: this.#bytes, at: performance.now() }
  }

  /** Resolves when every stream is connected and has begun. */
  async start(address: Address, direction: Direction, streams: number): Promise<void> {
    await Promise.all(Array.from({ length: streams }, () => this.#stream(address, direction)))
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async #stream({ host, port }: Address, direction: Direction): Promise<void> {
    const socket = net.connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(1 << 20),
        callback: (bytes) => {
          this.#bytes += bytes
          return true
        }
      }
    })
    this.#sockets.push(socket)
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    })
    socket.on('error', (error) => {
      this.#failure ??= error
    })
    socket.once('end', () => {
      this.#failure ??= new Error('the service ended a bulk stream')
    })
    if (direction === 'down') socket.write('D')
    else {
      const next = (error?: Error | null): void => {
        if (!error && socket.writable) socket.write(block, next)
      }
      socket.write('S', next)
    }
  }
}
