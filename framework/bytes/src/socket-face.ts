import { Duplex } from 'node:stream'

/**
 * A `Duplex` with what HTTP agents, servers and other users of sockets call besides. What only means something to a
 * kernel does nothing.
 */
export class SocketFace extends Duplex {
  /** Milliseconds without a byte either way before `timeout` is emitted; 0: never. */
  timeout = 0
  #idle: NodeJS.Timeout | undefined

  /** Emits `timeout` after so many milliseconds without a byte, as `net.Socket` does. 0 never does. */
  setTimeout(ms: number, listener?: () => void): this {
    clearTimeout(this.#idle)
    this.timeout = ms
    this.#idle = ms > 0 && !this.destroyed ? setTimeout(() => this.emit('timeout'), ms).unref() : undefined
    if (listener !== undefined) {
      if (ms > 0) this.once('timeout', listener)
      else this.off('timeout', listener)
    }
    return this
  }

  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    this.#idle?.refresh()
    return super.push(chunk, encoding)
  }

  /** A subclass writes: the time without a byte begins anew. */
  protected wrote(): void {
    this.#idle?.refresh()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#idle)
    this.#idle = undefined
    done(error)
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
