import type { RawStream } from '@rystra/bytes'
import { RystraError, toRystraError } from '@rystra/model'
import type { Clock, Details, MemberRequestHandler } from '@rystra/plugin'
import type { Message, OpenChannel } from '@rystra/protocol'
import { type OutgoingStream, readyFrame, refuseStream } from '@rystra/session'

/** Channel of a request. The response is StreamReady and JSON behind it, or an Error. */
export const REQUEST = 'cluster-request'

/** The largest response. */
const MAX_RESPONSE_BYTES = 1024 * 1024

/** Requests of other servers that are being answered, at most. */
const MAX_PENDING = 64

export const requestMessage = (id: string, name: string, body: Details): Message => ({
  type: 'OpenChannel',
  id,
  name: REQUEST,
  details: { request: name, body }
})

const malformed = (side: 'client' | 'server'): RystraError =>
  new RystraError('protocol.malformed', { side, detail: REQUEST })

const isFields = (value: unknown): value is Details =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The whole response on a stream that is ready. Rejects with `protocol.malformed`, or with what ends the stream. */
export const readResponse = (stream: OutgoingStream): Promise<Details> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const fail = (error: RystraError): void => {
      stream.reset()
      reject(error)
    }
    stream.onClose = (error) => reject(toRystraError(error ?? new RystraError('stream.reset'), 'stream.reset'))
    stream.read({
      onBytes: (buffer, start, end) => {
        size += end - start
        if (size > MAX_RESPONSE_BYTES) fail(malformed('server'))
        else chunks.push(Buffer.from(buffer.subarray(start, end)))
        return true
      },
      onEnd: () => {
        try {
          const body: unknown = JSON.parse(Buffer.concat(chunks).toString())
          if (!isFields(body)) throw malformed('server')
          resolve(body)
        } catch {
          fail(malformed('server'))
        }
      }
    })
  })

/** Handlers of this server for requests of others. */
export class MemberRequests {
  readonly #handlers = new Map<string, MemberRequestHandler>()
  #pending = 0

  /** The latest of a name answers. Returns what ends it. */
  serve(name: string, handler: MemberRequestHandler): () => void {
    this.#handlers.set(name, handler)
    return () => {
      if (this.#handlers.get(name) === handler) this.#handlers.delete(name)
    }
  }

  /** Answers on the stream of a request. Never rejects. */
  async answer(raw: RawStream, { details = {} }: OpenChannel, member: string, clock: Clock): Promise<void> {
    const { request, body } = details
    this.#pending += 1
    try {
      if (this.#pending > MAX_PENDING) throw new RystraError('stream.limit', { side: 'server', detail: REQUEST })
      if (typeof request !== 'string' || !isFields(body)) throw malformed('client')
      const handler = this.#handlers.get(request)
      if (handler === undefined) throw new RystraError('channel.unknown', { side: 'server', detail: request })
      const response = Buffer.from(JSON.stringify(await handler(body, member)))
      if (response.length > MAX_RESPONSE_BYTES) throw new RystraError('protocol.too-large', { side: 'server' })
      if (raw.closed) return
      raw.read({ onBytes: () => true, onEnd: () => {} })
      const ready = readyFrame()
      raw.write(ready, 0, ready.length, false)
      raw.write(response, 0, response.length, false)
      raw.end()
    } catch (error) {
      refuseStream(raw, error, clock)
    } finally {
      this.#pending -= 1
    }
  }
}
