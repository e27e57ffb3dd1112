import { RystraError, type PeerInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { ByteLink, StreamLink } from '@rystra/plugin'

/** What both sides have in common: the first link carries control messages, every other one is a stream. */
export abstract class DirectLink implements StreamLink {
  readonly kind = 'streams'
  readonly peer: PeerInfo
  readonly control: Duplex
  onStream: ((stream: Duplex) => void) | undefined
  onClose: ((error?: Error) => void) | undefined

  protected closed = false
  readonly #active = new Set<Duplex>()
  #error: Error | undefined

  constructor(link: ByteLink) {
    this.peer = link.peer
    this.control = link.duplex
    link.duplex.on('error', (error: Error) => {
      this.#error ??= error
    })
    link.duplex.once('close', () => this.#over())
  }

  get streams(): number {
    return this.#active.size
  }

  abstract open(signal?: AbortSignal): Promise<Duplex>
  abstract goAway(): void
  /** Gives up the links that carry no stream yet. */
  protected abstract dropIdle(): void

  /** Counts a link as a stream until it is closed. */
  protected adopt(stream: Duplex): Duplex {
    this.#active.add(stream)
    stream.once('close', () => this.#active.delete(stream))
    return stream
  }

  close(): void {
    this.goAway()
    if (!this.control.destroyed) this.control.end(() => this.control.destroy())
  }

  destroy(error?: Error): void {
    this.#error ??= error
    this.control.destroy()
  }

  #over(): void {
    if (this.closed) return
    this.closed = true
    this.dropIdle()
    for (const stream of this.#active) cut(stream)
    this.onClose?.(this.#error)
  }

  protected refusal(): RystraError {
    return new RystraError('mux.closed', { cause: this.#error })
  }
}

/** Resets a link, so that its other end does not take it for a clean end. */
export const cut = (stream: Duplex): void => {
  const socket = stream as Duplex & { resetAndDestroy?: () => void; remotePort?: number }
  if (typeof socket.resetAndDestroy === 'function' && socket.remotePort !== undefined) {
    try {
      socket.resetAndDestroy()
      return
    } catch {
      // Not a TCP socket after all: TLS, for example.
    }
  }
  stream.destroy()
}
