import type { Socket } from 'node:net'
import { WebSocket } from 'ws'

/**
 * A WebSocket for which `ws` performs only the opening handshake: it hands over the connection instead of reading it.
 * It overrides a method that `ws` does not document, in this file only. See docs/adr/0023-websocket-framing.md.
 */
export class Handshake extends WebSocket {
  /** Called after the handshake with the bytes received behind it. */
  onDone: ((socket: Socket, head: Buffer) => void) | undefined
  #done: readonly [Socket, Buffer] | undefined

  /** The connection of a server, which is told by a callback of `ws`. */
  get done(): readonly [Socket, Buffer] {
    if (this.#done === undefined) throw new Error('unsupported version of ws: it did not hand over its connection')
    return this.#done
  }

  setSocket(socket: Socket, head: Buffer): void {
    this.#done = [socket, head]
    this.onDone?.(socket, head)
  }
}
