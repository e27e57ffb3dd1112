import { TokenBucket } from '@rystra/limits'
import { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'

/** Requests a visitor may take back in a second, and at once: browsers do when a page is left. */
const RATE = 50
const BURST = 500

/** Ends an HTTP/2 connection that takes back requests as fast as it makes them, CVE-2023-44487. */
export class ResetGuard {
  readonly #session: ServerHttp2Session
  readonly #resets = new TokenBucket(RATE, BURST, Date.now())
  #over = false

  constructor(session: ServerHttp2Session) {
    this.#session = session
  }

  watch(stream: ServerHttp2Stream): void {
    if (this.#over) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM)
      return
    }
    stream.once('aborted', () => {
      if (this.#over || this.#resets.take(1, Date.now())) return
      this.#over = true
      // Not at once: nghttp2 is in the middle of what it reads, and a session that is destroyed there takes the process along.
      setImmediate(() => {
        if (this.#session.destroyed) return
        this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
        this.#session.destroy()
      })
    })
  }
}
