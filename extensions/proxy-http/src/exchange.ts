import {
  type ExchangeObserver,
  type HeaderField,
  type PublishHost,
  type RequestContext,
  type Respond,
  RystraError,
  toRystraError
} from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { changeProtocol } from './change-protocol.js'
import type { ExchangeOptions } from './connection-info.js'
import { requestContext, responseHead, upstreamRequest } from './context.js'
import { Failover, type FailoverHandler, type FailoverOptions } from './failover.js'
import type { World } from './world.js'
import { type Head, readHead } from './head.js'
import { deniedBy, Problem, problemOf, serviceProblem } from './problem.js'
import { checkedFor, closedRequest, isGrpc, stalledProblem, unfitResponse } from './outcome.js'
import { observeVisitor, reportResponse, reportUpgrade } from './observe.js'
import type { HttpProxy } from './proxy.js'
import { callRequestHooks } from './request-hooks.js'
import { RequestBody } from './request-body.js'
import { routeOf } from './route.js'
import type { ResponseWriter } from './response-writer.js'
import type { PendingRequest, UpstreamFailure, UpstreamResponse } from './upstream.js'
import type { VisitorRequest } from './visitor-request.js'
import { VisitorResponse } from './visitor-response.js'

/** One request of a visitor, and its response. */
export class Exchange implements FailoverHandler {
  readonly #world: World
  readonly #request: VisitorRequest
  readonly #options: ExchangeOptions
  readonly #response: VisitorResponse
  readonly #body: RequestBody
  readonly #since = Date.now()
  #head: Head | undefined
  #proxy: HttpProxy | undefined
  #hooks: PublishHost['hooks'] | undefined
  #context: RequestContext | undefined
  #failover: Failover | undefined
  #timer: NodeJS.Timeout | undefined
  #release: (() => void) | undefined
  #bytesIn = 0
  #answered = false
  #failed = false
  #over = false
  #error: RystraError | undefined
  #observed: ExchangeObserver | undefined

  constructor(world: World, request: VisitorRequest, writer: ResponseWriter, options: ExchangeOptions) {
    this.#world = world
    this.#request = request
    this.#options = options
    this.#response = new VisitorResponse(writer)
    this.#body = new RequestBody(request, {
      onBytes: (chunk) => {
        this.#bytesIn += chunk.length
        this.#timer?.refresh()
        this.#observed?.requestData(chunk)
      },
      onEnd: () => this.#bodyEnded()
    })
    writer.onClose(() => this.#closed())
    // A failed body shows at the response.
    request.body.on('error', () => {})
  }

  /** Finds the proxy, calls the hooks, and sends the request to the service. Never throws. */
  start(): void {
    try {
      const { options, limits } = this.#world
      const { connection } = this.#options
      const head = readHead(this.#request, options)
      this.#head = head
      if (!head.hasBody && this.#options.upgrade === undefined) this.#request.body.resume()
      // Before the route: it is the server's order, also where a proxy would take every path of the host.
      const challenge = this.#world.challenge(head.host, head.path)
      if (challenge !== undefined) {
        this.#respond({ status: 200, headers: [['Content-Type', 'text/plain']], body: challenge })
        return
      }
      const { claim, proxy } = routeOf(this.#world, connection, head)
      this.#proxy = proxy
      this.#wait(proxy.timeout('answerTimeout', options))
      const context = requestContext(this.#world, this.#request, connection, proxy, head)
      this.#context = context
      const { observers } = this.#world.watch
      if (observers !== undefined) this.#observed = observeVisitor(observers, context, proxy)
      this.#release = limits.admit(context.visitor.host, proxy)
      this.#hooks = proxy.host.hooks
      callRequestHooks(this.#hooks, context, {
        pass: () => this.#forward({ claim, first: proxy }, head, context),
        answer: (given) => ('respond' in given ? this.#respond(given.respond) : this.#fail(deniedBy(given))),
        fail: (error) => this.#fail(problemOf(error, 'hook.failed', 'server')),
        isOver: () => this.#over || this.#failed
      })
    } catch (error) {
      this.#fail(problemOf(error, 'internal', 'server'))
    }
  }

  #forward({ claim, first }: Pick<FailoverOptions, 'claim' | 'first'>, head: Head, context: RequestContext): void {
    // After the hooks: they count failed passwords, and redirect those who would send one in the clear.
    if (first.credentials?.admit(this.#request.headers['authorization'] as string | undefined) === false) {
      throw new Problem(401, 'user and password are needed')
    }
    const { connection, expectsContinue = false, upgrade } = this.#options
    const { visitor, secure } = connection
    const options = { secure, expectsContinue, upgrade: upgrade?.protocol }
    const requestFor = (proxy: HttpProxy) => checkedFor(proxy.spec, upstreamRequest(proxy, head, context, options))
    this.#failover = new Failover({ claim, first, visitor, requestFor }, this)
    this.#failover.start()
  }

  onMember(proxy: HttpProxy): void {
    this.#proxy = proxy
    this.#wait(proxy.timeout('answerTimeout', this.#world.options))
    // Hooks and logs from here on name the member that serves it.
    Object.assign(this.#context as RequestContext, { proxy: proxy.spec, session: proxy.host.session })
  }

  get bodyReplayable(): boolean {
    return this.#body.replayable
  }

  onSent(pending: PendingRequest): void {
    this.#observed?.sent()
    if (this.#head?.hasBody === true) this.#body.sendTo(pending)
    else pending.end([])
  }

  /** `false`: it is not as long as its head said. */
  #bodyEnded(): boolean {
    const { length } = this.#head as Head
    if (length === undefined || this.#bytesIn === length) return true
    this.#fail(new Problem(400, 'the body is not as long as Content-Length'))
    return false
  }

  get #bodyPending(): boolean {
    return this.#head?.hasBody === true && !this.#body.ended
  }

  onContinue(): void {
    // Once: a service that repeats it has not begun its response.
    if (this.#options.expectsContinue !== true || this.#response.sent100Continue) return
    this.#timer?.refresh()
    this.#response.writeContinue()
  }

  onInformation(status: number, fields: readonly HeaderField[]): void {
    this.#response.inform(status, fields)
  }

  onFailure({ error, code }: UpstreamFailure): void {
    // A gRPC client derives the status from the code of the reset.
    if (code !== undefined && isGrpc(this.#request) && !this.#response.begun) {
      this.#error ??= serviceProblem(error).error
      this.#failed = true
      this.#response.breakOff(code)
    } else this.#fail(serviceProblem(error), code)
  }

  onResponse(upstream: UpstreamResponse): void {
    if (this.#over) return
    this.#answered = true
    this.#body.release()
    const { options } = this.#world
    const unfit = unfitResponse(upstream, options.maxHeaders, this.#request.version)
    if (unfit !== undefined) {
      this.#fail(unfit)
      return
    }
    this.#hooked(upstream.status, upstream, (changed, fields) => {
      this.#wait((this.#proxy as HttpProxy).timeout('bodyTimeout', options))
      // A visitor that waits for a 100 may never send its body, and the next request would not be found.
      const waiting = this.#options.expectsContinue === true && !this.#response.sent100Continue && this.#bodyPending
      reportResponse(this.#observed, changed, fields, upstream)
      this.#response.pass(upstream, changed, fields, waiting, () => this.#timer?.refresh())
    })
  }

  onUpgrade(upstream: UpstreamResponse, stream: Duplex, head: Buffer): void {
    const { upgrade } = this.#options
    if (this.#over || this.#failed || upgrade === undefined) {
      stream.destroy()
      return
    }
    this.#answered = true
    this.#hooked(
      101,
      upstream,
      (_, fields) => {
        clearTimeout(this.#timer)
        this.#response.detached = true
        this.#response.begun = true
        reportUpgrade(this.#observed, fields, upgrade.protocol)
        const key = this.#request.headers['sec-websocket-key'] as string | undefined
        changeProtocol(upgrade, { stream, head, fields, key }, (toService, toVisitor, error) => {
          this.#bytesIn = toService
          this.#response.bytes = toVisitor
          this.#finish(101, error === undefined ? undefined : toRystraError(error, 'stream.reset'))
        })
      },
      () => stream.destroy()
    )
  }

  /** Changes the head of a response, and lets hooks do so; then continues, unless a hook failed. */
  #hooked(
    status: number,
    upstream: UpstreamResponse,
    next: (status: number, fields: HeaderField[]) => void,
    giveUp: () => void = () => {}
  ): void {
    const head = responseHead(this.#proxy as HttpProxy, this.#context as RequestContext, status, upstream, this.#hooks)
    if (!(head instanceof Promise)) next(head.status, head.headers)
    else
      head
        .then((changed) => (this.#over || this.#failed ? giveUp() : next(changed.status, changed.headers)))
        .catch((error: unknown) => {
          giveUp()
          this.#fail(problemOf(error, 'hook.failed', 'server'))
        })
  }

  #respond(respond: Respond['respond']): void {
    this.#body.drop()
    this.#wait(this.#world.options.bodyTimeout)
    this.#observed?.response(respond.status, respond.headers ?? [])
    this.#response.sendHooked(respond, this.#head?.hasBody === true)
  }

  /** Answers with a page, or breaks off when the response has begun. `code`: for RST_STREAM. */
  #fail(problem: Problem, code?: number): void {
    if (this.#over) return
    this.#error ??= problem.error
    this.#failover?.abort()
    if (this.#failed || this.#response.begun) {
      this.#response.breakOff(code)
      return
    }
    this.#failed = true
    this.#wait(this.#world.options.bodyTimeout)
    this.#body.drop()
    // The end of a request whose head is not valid is not known.
    const close = this.#head === undefined || this.#bodyPending
    const page = this.#world.pages.render(problem, this.#request.headers.accept as string, this.#proxy?.pages)
    this.#observed?.response(problem.status, [['X-Rystra-Error', problem.code]])
    this.#response.refuse(problem, page, close)
  }

  #wait(timeout: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#timedOut(timeout), timeout)
  }

  /** Nothing has been received or sent for too long. */
  #timedOut(timeout: number): void {
    const limit = this.#answered ? 'bodyTimeout' : 'answerTimeout'
    const fields = { proxy: this.#proxy?.spec.name, visitor: this.#context?.visitor.host, limit, milliseconds: timeout }
    this.#world.log.info(fields, `a request was cut: no progress within ${limit}`)
    const incomplete = !this.#failed && this.#bodyPending && !this.#request.body.isPaused()
    this.#fail(stalledProblem(limit, timeout, incomplete))
  }

  #closed(): void {
    const { writer, detached, begun, status } = this.#response
    if (detached) return
    if (!writer.complete) {
      this.#failover?.abort(writer.resetCode)
      this.#error ??= new RystraError('stream.reset', { side: 'server', detail: 'the visitor is gone' })
    } else if (this.#bodyPending) this.#body.onCutOff(() => this.#failover?.abort(writer.resetCode))
    this.#finish(begun ? status : 0, this.#error)
  }

  #finish(status: number, error: RystraError | undefined): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#release?.()
    const context = this.#context
    if (context === undefined) return
    const [bytesToService, bytesToVisitor, duration] = [this.#bytesIn, this.#response.bytes, Date.now() - this.#since]
    const closed = closedRequest({ request: context, status, bytesToService, bytesToVisitor, duration }, error)
    this.#hooks?.closeRequest(closed)
    this.#observed?.end(error)
    this.#proxy?.tell(closed, (this.#head as Head).target)
  }
}
