import { trailersOf } from './fields.js'
import type { PendingRequest } from './upstream.js'
import type { VisitorRequest } from './visitor-request.js'

/** Bytes of a body that are kept until the response, so that a request that was not processed can be sent again. */
const REPLAY_BYTES = 65_536

/** Receives the progress of a body. */
export interface BodyProgress {
  onBytes(chunk: Buffer): void
  /** Called once, with the last byte. `false`: the body is not valid, and the request has failed. */
  onEnd(): boolean
}

/** The body of a visitor's request, sent as fast as the service takes it, and its trailers. */
export class RequestBody {
  readonly #request: VisitorRequest
  readonly #progress: BodyProgress
  #pending: PendingRequest | undefined
  #kept: Buffer[] = []
  #keptBytes = 0
  #replayable = true
  #reading = false
  ended = false
  #valid = false

  constructor(request: VisitorRequest, progress: BodyProgress) {
    this.#request = request
    this.#progress = progress
  }

  get replayable(): boolean {
    return this.#replayable
  }

  /** Sends it, from its first byte on. */
  sendTo(pending: PendingRequest): void {
    const { body } = this.#request
    this.#pending = pending
    pending.body.on('drain', () => {
      if (this.#pending === pending) body.resume()
    })
    let full = false
    for (const chunk of this.#kept) full = !pending.body.write(chunk)
    if (this.ended) this.#finish()
    else if (!this.#reading) this.#read()
    else if (!full) body.resume()
  }

  /** The response has begun: the body is not sent again. */
  release(): void {
    this.#replayable = false
    this.#kept = []
  }

  /** Nothing more of it is sent. */
  drop(): void {
    this.release()
    this.#pending = undefined
    const { body } = this.#request
    if (this.#reading) body.off('data', this.#onData)
    body.resume()
  }

  #read(): void {
    const { body } = this.#request
    this.#reading = true
    body.on('data', this.#onData)
    body.on('end', () => {
      this.ended = true
      if (this.#pending === undefined) return
      this.#valid = this.#progress.onEnd()
      this.#finish()
    })
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#progress.onBytes(chunk)
    if (this.#replayable) this.#keep(chunk)
    if (this.#pending?.body.write(chunk) === false) this.#request.body.pause()
  }

  #keep(chunk: Buffer): void {
    this.#keptBytes += chunk.length
    if (this.#keptBytes > REPLAY_BYTES) this.release()
    else this.#kept.push(chunk)
  }

  #finish(): void {
    if (!this.#valid) return
    if (this.#request.complete) this.#pending?.end(trailersOf(this.#request.rawTrailers))
    else this.#pending?.abort()
  }

  /** Calls `then` if the visitor is gone before the body has ended. Node reports that only until the response is complete. */
  onCutOff(then: () => void): void {
    const { body, connection } = this.#request
    if (connection.destroyed) {
      then()
      return
    }
    connection.once('close', then)
    body.once('end', () => connection.off('close', then))
  }
}
