import type { Claim } from '@rystra/plugin'
import { isRefusal, isRystraError, RystraError, type VisitorInfo } from '@rystra/plugin'
import { LazyAbort } from '@rystra/net'
import { Problem } from './problem.js'
import type { HttpProxy } from './proxy.js'
import type {
  ConnectOptions,
  PendingRequest,
  UpstreamConnection,
  UpstreamFailure,
  UpstreamHandler,
  UpstreamRequest
} from './upstream.js'

/** Milliseconds a member of a group has to reach its service, while there is another one to try. */
const CONNECT_TIMEOUT_MS = 5000

/** Methods whose requests may be sent twice, RFC 9110 §9.2.2. */
const idempotentMethods = /^(GET|HEAD|OPTIONS|PUT|DELETE|TRACE)$/

/** Receives what becomes of a request that may be sent several times. */
export interface FailoverHandler extends UpstreamHandler {
  /** The head was sent, and the body may follow. Called for each attempt. */
  onSent(pending: PendingRequest): void
  /** Another member of the group gets the request. */
  onMember(proxy: HttpProxy): void
  /** Whether the whole body can still be sent once more. */
  readonly bodyReplayable: boolean
}

/** The request for a member, and the members. */
export interface FailoverOptions {
  readonly claim: Claim<HttpProxy>
  readonly first: HttpProxy
  readonly visitor: VisitorInfo
  requestFor(proxy: HttpProxy): UpstreamRequest
}

/**
 * Sends a request to a service: over a connection that is kept alive, or a new one. A connection that turns out to be
 * closed is replaced. Another member of the group gets the request when the service cannot be reached, and, if it may be
 * sent twice, when the connection is lost before the response.
 */
export class Failover {
  readonly #options: FailoverOptions
  readonly #handler: FailoverHandler
  readonly #tried: Set<HttpProxy>
  /** A connection that is kept alive needs no signal. */
  readonly #abort = new LazyAbort()
  #proxy: HttpProxy
  #request: UpstreamRequest
  readonly #repeatable: boolean
  #pending: PendingRequest | undefined
  /** It was sent once more to this member. */
  #repeated = false
  #done = false

  constructor(options: FailoverOptions, handler: FailoverHandler) {
    this.#options = options
    this.#handler = handler
    this.#proxy = options.first
    this.#tried = new Set([options.first])
    this.#request = options.requestFor(this.#proxy)
    this.#repeatable = idempotentMethods.test(this.#request.method) && !this.#request.hasBody
  }

  start(): void {
    this.#connect(false)
  }

  /** The response is not needed any more. `code`: for RST_STREAM. */
  abort(code?: number): void {
    this.#done = true
    this.#abort.abort(new RystraError('stream.reset', { side: 'server', detail: 'the request is over' }))
    this.#pending?.abort(code)
  }

  #fail(failure: UpstreamFailure): void {
    if (this.#done) return
    this.#done = true
    this.#handler.onFailure(failure)
  }

  #connect(fresh: boolean): void {
    const { claim, visitor } = this.#options
    const options: ConnectOptions = {
      visitor,
      repeatable: this.#repeatable,
      fresh,
      abort: this.#abort,
      timeout: claim.size > this.#tried.size ? CONNECT_TIMEOUT_MS : undefined
    }
    try {
      const connection = this.#proxy.connect(options, this.#request.upgrade)
      if (connection instanceof Promise) {
        connection.then(
          (made) => this.#send(made),
          (error: Error) => this.#nextMember({ error })
        )
      } else this.#send(connection)
    } catch (error) {
      this.#fail({ error: error as Error })
    }
  }

  /** Another that takes the request as it was prepared for the first: with the same password and the same changes. */
  #nextMember(failure: UpstreamFailure): void {
    if (this.#done) return
    const { claim, visitor, requestFor } = this.#options
    // What a hook refused stays refused.
    const refused = isRystraError(failure.error) && isRefusal(failure.error.code)
    let next = refused ? undefined : claim.pick(visitor, this.#tried)
    while (next !== undefined && next.form !== this.#proxy.form) {
      this.#tried.add(next)
      next = claim.pick(visitor, this.#tried)
    }
    if (next === undefined) {
      this.#fail(failure)
      return
    }
    this.#tried.add(next)
    this.#proxy = next
    this.#repeated = false
    this.#request = requestFor(this.#proxy)
    this.#handler.onMember(this.#proxy)
    this.#connect(false)
  }

  /** A response that cannot be passed on ends this request, and nothing else. */
  #passOn(act: () => void): void {
    try {
      act()
    } catch (cause) {
      this.#pending?.abort()
      const error = new RystraError('stream.reset', { side: 'client', detail: (cause as Error).message, cause })
      this.#fail({ error: new Problem(502, 'the response of the service cannot be passed on', error) })
    }
  }

  #send(connection: UpstreamConnection): void {
    const handler = this.#handler
    let answered = false
    const failed = (failure: UpstreamFailure): void => {
      const { processed } = failure
      const again = processed === 'no' ? handler.bodyReplayable : processed === 'unknown' && this.#repeatable
      if (answered || !again || this.#done) this.#fail(failure)
      else if (!this.#repeated && (connection.reused || processed === 'no')) {
        this.#repeated = true
        this.#connect(true)
      } else this.#nextMember(failure)
    }
    if (this.#done) {
      connection.send(this.#request, ignore).abort()
      return
    }
    try {
      this.#pending = connection.send(this.#request, {
        onContinue: () => this.#passOn(() => handler.onContinue()),
        onInformation: (status, fields) => this.#passOn(() => handler.onInformation(status, fields)),
        onResponse: (response) => {
          answered = true
          this.#passOn(() => handler.onResponse(response))
        },
        onUpgrade: (response, stream, head) => {
          answered = true
          this.#passOn(() => handler.onUpgrade(response, stream, head))
        },
        onFailure: failed
      })
    } catch (error) {
      // The session was closed between the choice and the request: nothing was sent.
      const closed = /^ERR_HTTP2_(GOAWAY_SESSION|INVALID_SESSION)$/.test((error as NodeJS.ErrnoException).code ?? '')
      failed(closed ? { error: error as Error, processed: 'no' } : { error: error as Error })
      return
    }
    handler.onSent(this.#pending)
  }
}

const ignore: UpstreamHandler = {
  onContinue() {},
  onInformation() {},
  onResponse: ({ body }) => body.resume(),
  onUpgrade: (_, stream) => stream.destroy(),
  onFailure() {}
}
