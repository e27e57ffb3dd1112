import { cutOff } from '@rystra/bytes'
import { type ByteLink, type PeerInfo, RystraError, type StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'

/** Time for the peer to end its half of the control stream before the link is reset. */
const LINGER_MS = 250

/** Common part of both sides: the first link carries control messages, every other one is a stream. */
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
    // An orderly close by the peer.
    link.duplex.once('end', () => this.close())
    // A link that is closed already emits no event.
    if (link.duplex.closed) setImmediate(() => this.#over())
  }

  get streams(): number {
    return this.#active.size
  }

  abstract open(signal?: AbortSignal): Promise<Duplex>
  abstract goAway(): void
  /** Closes links without a stream. */
  protected abstract dropIdle(): void

  /** Counts a link as a stream until it is closed. */
  protected adopt(stream: Duplex): Duplex {
    if (stream.closed) return stream
    this.#active.add(stream)
    stream.once('close', () => this.#active.delete(stream))
    return stream
  }

  close(): void {
    this.goAway()
    const { control } = this
    if (control.destroyed) return
    const cut = (): void => void control.destroy()
    // Closing with unread data would reset the link and lose queued data.
    const timer = setTimeout(cut, LINGER_MS).unref()
    control.once('close', () => clearTimeout(timer))
    control.end(() => {
      if (control.readableEnded) cut()
      else control.once('end', cut).resume()
    })
  }

  destroy(error?: Error): void {
    this.#error ??= error
    this.control.destroy()
  }

  #over(): void {
    if (this.closed) return
    this.closed = true
    this.dropIdle()
    for (const stream of this.#active) cutOff(stream)
    this.#active.clear()
    this.onClose?.(this.#error)
  }

  protected refusal(): RystraError {
    return new RystraError('mux.closed', { cause: this.#error })
  }
}
