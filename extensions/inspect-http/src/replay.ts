import type { ErrorDetails, HeaderField, ReplayRequest, RystraError } from '@rystra/plugin'
import type { Exchange } from './exchange.js'
import { MASK } from './mask.js'
import type { Ring } from './ring.js'

/** Replays that run at a time. */
const MAX_RUNNING = 8

/** Errors of the extension. */
export type Codes = 'not-found' | 'truncated' | 'upgraded' | 'busy'

/** Makes them. */
export type MakeError = (code: Codes, details?: ErrorDetails) => RystraError

/** What is other than it was. */
export interface Edit {
  readonly method?: string
  readonly target?: string
  readonly headers?: readonly HeaderField[]
  readonly body?: Uint8Array
}

/** Sends requests again. */
export class Replayer {
  readonly #ring: Ring
  readonly #error: MakeError
  #running = 0

  constructor(ring: Ring, error: MakeError) {
    this.#ring = ring
    this.#error = error
  }

  /**
   * Sends the request of an exchange again, as it was or edited, on the way to its own service. Returns the exchange that this
   * is, when it is over.
   */
  async replay(exchange: Exchange, edit: Edit): Promise<Exchange> {
    const { request: before, requestBody, protocol } = exchange
    if (protocol !== undefined) throw this.#error('upgraded', { detail: protocol })
    if (requestBody.truncated && edit.body === undefined) {
      const detail = `${requestBody.kept} of ${requestBody.length} bytes were kept`
      throw this.#error('truncated', { detail })
    }
    if (this.#running >= MAX_RUNNING) throw this.#error('busy')
    const headers =
      edit.headers === undefined ? kept(before.headers, edit.body) : unmasked(edit.headers, before.headers)
    const request: ReplayRequest = {
      method: edit.method ?? before.method,
      target: edit.target ?? before.target,
      headers,
      body: edit.body ?? requestBody.bytes(),
      mark: exchange.id
    }
    const { method, target } = request
    const again = this.#ring.add({ ...before, method, target, headers, begun: Date.now() }, exchange.id)
    this.#running += 1
    try {
      await before.replay(request, again)
    } catch (error) {
      again.end(error as RystraError)
      throw error
    } finally {
      this.#running -= 1
    }
    return again
  }
}

/** The fields of before. A body that was edited has no coding: it was decoded to be shown. */
const kept = (before: readonly HeaderField[], body: Uint8Array | undefined): readonly HeaderField[] =>
  body === undefined ? before : before.filter(([name]) => name.toLowerCase() !== 'content-encoding')

/** A masked value that was sent back is the value that it was. */
const unmasked = (edited: readonly HeaderField[], before: readonly HeaderField[]): HeaderField[] => {
  const left = [...before]
  return edited.map(([name, value]) => {
    if (value !== MASK) return [name, value]
    const at = left.findIndex(([other]) => other.toLowerCase() === name.toLowerCase())
    const [field] = at === -1 ? [] : left.splice(at, 1)
    return [name, field?.[1] ?? value]
  })
}
