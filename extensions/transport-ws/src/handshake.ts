import type { Socket } from 'node:net'
import { WebSocket } from 'ws'

/**
 * A WebSocket of which `ws` does the opening handshake and no more: it gives the connection away instead of reading it.
 * The method is one that `ws` does not document; this file is the only one that knows. See
 * docs/adr/0023-websocket-framing.md for why.
 */
export class Handshake extends WebSocket {
  /** Called when it is done, with what came behind it. */
  onDone: ((socket: Socket, head: Buffer) => void) | undefined
  #done: readonly [Socket, Buffer] | undefined

  /** The connection, for a server, which is told by a callback that it is done. */
  get done(): readonly [Socket, Buffer] {
    if (this.#done === undefined) throw new Error('ws has changed: it did not give its connection')
    return this.#done
  }

  setSocket(socket: Socket, head: Buffer): void {
    this.#done = [socket, head]
    this.onDone?.(socket, head)
  }
}
