import { cutOff, reportEndLate } from '@rystra/bytes'
import { type ByteLink, type MuxerStats, type PeerInfo, RystraError, type StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'

/** Time for the peer to end its half of the control stream before the link is reset. */
const LINGER_MS = 250

/** Interval at which streams of a closed session are checked: those that made no progress in it are reset. */
const SETTLE_MS = 3000

/** Checks after which they are reset anyway. */
const MAX_CHECKS = 10

/** Changes when bytes are read or sent. */
const progressOf = (stream: Duplex): string => {
  const { bytesRead = 0 } = stream as { bytesRead?: number }
  return `${bytesRead}/${stream.readableLength}/${stream.writableLength}`
}

/** Bytes that the kernel has not taken yet. Raw streams write to the handle; others count those of the handle too. */
const queuedOn = (stream: Duplex): number => {
  const { _handle: handle } = stream as { _handle?: { writeQueueSize?: number } | null }
  return Math.max(stream.writableLength, handle?.writeQueueSize ?? 0)
}

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
  #settling: NodeJS.Timeout | undefined

  constructor(link: ByteLink) {
    this.peer = link.peer
    this.control = link.duplex
    link.duplex.on('error', (error: Error) => {
      this.#error ??= error
    })
    link.duplex.once('close', () => this.#over())
    // An orderly close by the peer, which ends or resets the streams by itself.
    link.duplex.once('end', () => this.#endControl())
    // A link that is closed already emits no event.
    if (link.duplex.closed) setImmediate(() => this.#over())
  }

  /** Set by the session, for a control stream that has ended out of order, or by its connection. */
  get lost(): Error | undefined {
    return this.#error
  }

  get streams(): number {
    return this.#active.size
  }

  /** What waits in the process; the window of a link is the kernel's, which does not tell it. */
  stats(): MuxerStats {
    let queued = 0
    let blocked = 0
    for (const stream of this.#active) {
      const waiting = queuedOn(stream)
      queued += waiting
      if (waiting > 0) blocked += 1
    }
    return { queued, blocked }
  }

  abstract open(signal?: AbortSignal): Promise<Duplex>
  abstract goAway(): void
  /** Closes links without a stream. */
  protected abstract dropIdle(): void

  /** Counts a link as a stream until it is closed. */
  protected adopt(stream: Duplex): Duplex {
    if (stream.closed) return stream
    this.#active.add(stream)
    // Of a peer that was killed, the control stream ends too.
    reportEndLate(stream, this)
    // Not once, which makes two more objects for each stream.
    stream.on('close', this.#onStreamClosed)
    return stream
  }

  /** One function for all streams of the link: it is called with the one that was closed. */
  readonly #onStreamClosed = ((link: DirectLink) =>
    function (this: Duplex): void {
      link.#active.delete(this)
      if (link.#settling !== undefined && link.#active.size === 0) link.#finish()
    })(this)

  close(): void {
    for (const stream of this.#active) if (!stream.writableEnded) cutOff(stream)
    this.#endControl()
  }

  #endControl(): void {
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
    if (this.#settling !== undefined) this.#finish()
  }

  #over(): void {
    if (this.closed) return
    this.closed = true
    this.dropIdle()
    if (this.#error === undefined && this.#active.size > 0) this.#settle()
    else this.#finish()
  }

  /** After an orderly close: what is queued on streams is sent and read. */
  #settle(): void {
    const before = new Map<Duplex, string>()
    let checks = 0
    this.#settling = setInterval(() => {
      checks++
      for (const stream of this.#active) {
        const progress = progressOf(stream)
        if (checks === MAX_CHECKS || before.get(stream) === progress) cutOff(stream)
        before.set(stream, progress)
      }
    }, SETTLE_MS).unref()
  }

  #finish(): void {
    clearInterval(this.#settling)
    this.#settling = undefined
    for (const stream of this.#active) cutOff(stream)
    this.#active.clear()
    this.onClose?.(this.#error)
  }

  protected refusal(): RystraError {
    return new RystraError('mux.closed', { cause: this.#error })
  }
}
