import net from 'node:net'
import type { Address } from '../address.js'

const at = 64

/** Connections that have proved to work and then do nothing. */
export class Held {
  readonly #sockets: net.Socket[] = []
  #lost = 0

  /** Those that were closed without being asked to. */
  get lost(): number {
    return this.#lost
  }

  /** Opens that many, each seen through by one byte there and back. */
  async open(address: Address, count: number): Promise<void> {
    let begun = 0
    const worker = async (): Promise<void> => {
      while (begun++ < count) await this.#one(address)
    }
    await Promise.all(Array.from({ length: at }, worker))
  }

  release(): void {
    for (const socket of this.#sockets) socket.removeAllListeners('close').destroy()
    this.#sockets.length = 0
  }

  #one(address: Address): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ ...address })
      this.#sockets.push(socket)
      socket.once('connect', () => socket.write('Ex'))
      socket.once('data', () => {
        socket.off('error', reject).on('error', () => {})
        resolve()
      })
      socket.once('error', reject)
      socket.once('close', () => {
        this.#lost++
        reject(new Error('a stream that should be held was closed'))
      })
    })
  }
}
