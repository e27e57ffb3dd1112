import type { ExchangeObserver, HeaderField, ObservedRequest, RystraError } from '@rystra/plugin'
import { Body } from './body.js'

/** Bytes that an exchange takes beside its heads and bodies. */
const OVERHEAD_BYTES = 1024

const sizeOf = (headers: readonly HeaderField[]): number =>
  headers.reduce((sum, [name, value]) => sum + name.length + value.length + 32, 0)

/** Milliseconds since the epoch at which an exchange came so far. */
export interface Times {
  readonly begun: number
  sent?: number
  responded?: number
  ended?: number
}

/** One request and its response, as far as they are kept. */
export class Exchange implements ExchangeObserver {
  readonly id: string
  readonly request: ObservedRequest
  /** The id of the exchange that it repeats. */
  readonly replayOf: string | undefined
  readonly times: Times
  readonly requestBody: Body
  readonly responseBody: Body
  status = 0
  responseHeaders: readonly HeaderField[] = []
  protocol: string | undefined
  error: RystraError | undefined
  /** Bytes of memory. */
  size: number
  readonly #clock: () => number
  readonly #changed: (exchange: Exchange, bytes: number) => void

  constructor(
    id: string,
    request: ObservedRequest,
    options: {
      readonly body: number
      readonly clock: () => number
      readonly replayOf?: string | undefined
      /** Called when it takes more memory, and at its end with 0. */
      readonly changed: (exchange: Exchange, bytes: number) => void
    }
  ) {
    this.id = id
    this.request = request
    this.replayOf = options.replayOf
    this.times = { begun: request.begun }
    this.requestBody = new Body(options.body)
    this.responseBody = new Body(options.body)
    this.size = OVERHEAD_BYTES + request.target.length + sizeOf(request.headers)
    this.#clock = options.clock
    this.#changed = options.changed
  }

  get over(): boolean {
    return this.times.ended !== undefined
  }

  requestData(chunk: Uint8Array): void {
    this.#grow(this.requestBody.add(chunk))
  }

  sent(): void {
    this.times.sent = this.#clock()
  }

  response(status: number, headers: readonly HeaderField[]): void {
    this.times.responded = this.#clock()
    this.status = status
    this.responseHeaders = headers
    this.#grow(sizeOf(headers))
  }

  responseData(chunk: Uint8Array): void {
    this.#grow(this.responseBody.add(chunk))
  }

  upgraded(protocol: string): void {
    this.protocol = protocol.slice(0, 64)
  }

  end(error?: RystraError): void {
    if (this.over) return
    this.times.ended = this.#clock()
    this.error = error
    this.#changed(this, 0)
  }

  #grow(bytes: number): void {
    if (bytes === 0) return
    this.size += bytes
    this.#changed(this, bytes)
  }
}
