import {
  type CloseRequestContext,
  type HeaderField,
  type PublishHost,
  type RequestContext,
  type Respond,
  RystraError,
  toRystraError,
  type VisitorInfo
} from '@rystra/plugin'
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Answer, Asked, Question } from './ask.js'
import { askH1 } from './ask-h1.js'
import { askH2 } from './ask-h2.js'
import { flat, isField, isOurs, passedOn, trailersOf } from './fields.js'
import { forwardedFields, protoOf, tellsWho } from './forwarded.js'
import type { World } from './front.js'
import { type Head, readHead, type VisitorRequest } from './head.js'
import { Problem, problemOf, serviceProblem } from './problem.js'
import type { HttpProxy } from './proxy.js'
import { Reply } from './reply.js'
import { switchProtocols } from './upgrade.js'

/** How a visitor came. */
export interface From {
  readonly visitor: VisitorInfo
  readonly secure: boolean
  readonly serverName: string | undefined
}

/** What came with a request besides. */
export interface Besides {
  /** The visitor waits for a 100 before the body. */
  readonly expect?: boolean
  /** The protocol to change to, with what came of it already. */
  readonly upgrade?: { readonly protocol: string; readonly socket: Duplex; readonly head: Buffer }
}

let requests = 0

/** Methods that do the same when done twice, RFC 9110 §9.2.2. */
const repeatable = /^(GET|HEAD|OPTIONS|PUT|DELETE|TRACE)$/

/** One request of a visitor, and its answer. */
export class Exchange {
  readonly #world: World
  readonly #request: VisitorRequest
  readonly #from: From
  readonly #besides: Besides
  readonly #reply: Reply
  readonly #since = Date.now()
  #head: Head | undefined
  #proxy: HttpProxy | undefined
  #hooks: PublishHost['hooks'] | undefined
  #context: RequestContext | undefined
  #asked: Asked | undefined
  #timer: NodeJS.Timeout | undefined
  #giveUp: AbortController | undefined
  #bytesIn = 0
  #bodyEnded = false
  #answered = false
  #repeats = 1
  #over = false
  #error: RystraError | undefined

  constructor(
    world: World,
    request: VisitorRequest,
    response: ServerResponse | Http2ServerResponse,
    from: From,
    besides: Besides = {}
  ) {
    this.#world = world
    this.#request = request
    this.#from = from
    this.#besides = besides
    this.#reply = new Reply(response)
    response.once('close', () => this.#closed())
    // What is broken off shows at the response.
    request.on('error', () => {})
  }

  /** Finds the service, asks whoever has a say, and asks the service. Never throws. */
  start(): void {
    try {
      const { world, proxy, head } = this.#route()
      this.#timer = setTimeout(() => this.#late(), world.options.answerTimeout)
      const context = this.#contextOf(proxy, head)
      this.#context = context
      this.#hooks = proxy.host.hooks
      const asked = this.#hooks.request(context)
      if (asked === undefined) this.#forward(proxy, head, context)
      else {
        asked.then(
          (answer) => {
            if (this.#over) return
            if (answer === undefined) this.#forward(proxy, head, context, true)
            else if ('respond' in answer) this.#respond(answer.respond)
            else {
              const { deny, retryAfter } = answer
              const error = new RystraError('stream.refused', { side: 'server', detail: deny })
              this.#fail(new Problem(retryAfter === undefined ? 403 : 429, deny, error, retryAfter))
            }
          },
          (error: unknown) => this.#fail(problemOf(toRystraError(error, 'hook.failed', { side: 'server' })))
        )
      }
    } catch (error) {
      this.#fail(error instanceof Problem ? error : problemOf(toRystraError(error, 'internal', { side: 'server' })))
    }
  }

  #route(): { world: World; proxy: HttpProxy; head: Head } {
    const world = this.#world
    const head = readHead(this.#request, world.options.maxHeaders)
    this.#head = head
    const { serverName, visitor } = this.#from
    if (serverName !== undefined && serverName.toLowerCase() !== head.host) {
      throw new Problem(421, 'this connection was made for another host')
    }
    const found = world.table.find(head.host, head.path, visitor)
    if (found === undefined) throw new Problem(404, `there is nothing here under ${head.host}${head.path}`)
    const { proxy } = found
    if (proxy === undefined) throw problemOf(new RystraError('stream.no-member', { side: 'server' }))
    this.#proxy = proxy
    if (proxy.credentials?.admit(this.#request.headers.authorization) === false) {
      throw new Problem(401, 'user and password are needed')
    }
    return { world, proxy, head }
  }

  #contextOf(proxy: HttpProxy, { method, host, authority, target }: Head): RequestContext {
    const { spec } = proxy
    const { rawHeaders, headers } = this.#request
    const { visitor, secure } = this.#from
    const signedIn = proxy.credentials !== undefined
    const connection = headers.connection as string | undefined
    const trusted = this.#world.trusted.has(visitor.host)
    const passed = passedOn(rawHeaders, connection, (name) => tellsWho(name) || (signedIn && name === 'authorization'))
    const before = trusted
      ? {
          for: one(headers['x-forwarded-for']),
          forwarded: one(headers.forwarded),
          proto: protoOf(one(headers['x-forwarded-proto'])),
          host: one(headers['x-forwarded-host'])
        }
      : undefined
    if (spec.forwarded !== false) passed.push(...forwardedFields(visitor.host, authority, secure, before))
    const client = before === undefined ? visitor.host : this.#world.trusted.clientOf(visitor.host, before.for)
    requests += 1
    return {
      id: requests.toString(36),
      proxy: spec,
      visitor: client === visitor.host ? visitor : { ...visitor, host: client, port: 0 },
      session: proxy.host.session,
      method,
      secure: before?.proto === undefined ? secure : /s$/.test(before.proto),
      host,
      target: proxy.targetOf(target),
      headers: proxy.changeRequest(passed)
    }
  }

  /** @param hooked whether somebody may have changed the head */
  #forward(proxy: HttpProxy, head: Head, context: RequestContext, hooked = false): void {
    if (hooked) this.#checkHooked(context)
    const { upgrade, expect = false } = this.#besides
    const { method, hasBody, length, wantsTrailers, authority } = head
    const question: Question = {
      method,
      target: context.target,
      headers: context.headers,
      authority: proxy.spec.hostHeader ?? authority,
      secure: this.#from.secure,
      hasBody,
      length,
      expect,
      wantsTrailers,
      upgrade: upgrade?.protocol
    }
    if (proxy.spec.h2 === true && upgrade === undefined) {
      proxy.service.session(this.#from.visitor).then(
        (session) => {
          if (this.#over) return
          try {
            this.#ask(
              head,
              askH2(
                question,
                session,
                this.#listener(() => false)
              )
            )
          } catch (error) {
            this.#fail(serviceProblem(error as Error))
          }
        },
        (error: unknown) => this.#fail(problemOf(error))
      )
      return
    }
    this.#askOn(proxy, head, question)
  }

  #askOn(proxy: HttpProxy, head: Head, question: Question): void {
    const again = repeatable.test(head.method) && !head.hasBody
    const { visitor } = this.#from
    const ask = (stream: Duplex, kept: boolean): void => {
      if (this.#over) {
        stream.destroy()
        return
      }
      const repeat = (): boolean => {
        // The service closed it before it saw the request.
        if (!kept || !again || this.#repeats === 0 || this.#over || this.#answered) return false
        this.#repeats -= 1
        open()
        return true
      }
      try {
        this.#ask(head, askH1(question, stream, this.#world.options.maxHeadSize, this.#listener(repeat)))
      } catch (error) {
        stream.destroy()
        this.#fail(serviceProblem(error as Error))
      }
    }
    const open = (): void => {
      this.#giveUp = new AbortController()
      proxy.pool.open(visitor, this.#giveUp.signal).then(
        (stream) => ask(stream, false),
        (error: unknown) => this.#fail(problemOf(error))
      )
    }
    const kept = proxy.pool.take(visitor, again)
    if (kept === undefined) open()
    else ask(kept, true)
  }

  #checkHooked(context: RequestContext): void {
    const fields = context.headers
    const unfit = fields.find((field) => !isField(field) || isOurs(field[0].toLowerCase()))
    const target = context.target
    if (unfit === undefined && (target === '*' || /^\/[\x21-\x22\x24-\x7e]*$/.test(target))) return
    const detail = unfit === undefined ? 'a target that is no path' : `a field that cannot be there: ${unfit[0]}`
    throw problemOf(new RystraError('hook.failed', { side: 'server', detail }))
  }

  #listener(repeat: () => boolean) {
    return {
      onContinue: () => {
        this.#timer?.refresh()
        if (this.#besides.expect === true) this.#reply.goOn()
      },
      onInformation: (status: number, fields: readonly HeaderField[]) => this.#reply.inform(status, fields),
      onAnswer: (answer: Answer) => this.#answer(answer),
      onUpgrade: (answer: Answer, stream: Duplex, head: Buffer) => this.#upgraded(answer, stream, head),
      onFailure: (error: Error) => {
        if (this.#over || repeat()) return
        this.#fail(serviceProblem(error))
      }
    }
  }

  /** Sends the body after its head, as fast as the service takes it. */
  #ask({ hasBody, length }: Head, asked: Asked): void {
    this.#asked = asked
    if (!hasBody) {
      this.#bodyEnded = true
      asked.end([])
      return
    }
    if (this.#bytesIn > 0 || this.#bodyEnded) return
    const request = this.#request
    asked.body.on('drain', () => request.resume())
    request.on('data', (chunk: Buffer) => {
      this.#bytesIn += chunk.length
      this.#timer?.refresh()
      if (!asked.body.write(chunk)) request.pause()
    })
    request.on('end', () => {
      this.#bodyEnded = true
      if (length !== undefined && this.#bytesIn !== length)
        this.#fail(new Problem(400, 'the body is not as long as it said'))
      else if (request.complete) asked.end(trailersOf(request.rawTrailers))
      else asked.abort()
    })
  }

  #answer(answer: Answer): void {
    if (this.#over) return
    this.#answered = true
    this.#timer?.refresh()
    const { status, raw, connection } = answer
    const { options } = this.#world
    if (raw.length / 2 > options.maxHeaders || status < 200 || status > 999) {
      this.#asked?.abort()
      const detail = status < 200 ? `status ${status}` : `more than ${options.maxHeaders} fields in its head`
      const error = new RystraError('stream.reset', { side: 'client', detail })
      this.#fail(new Problem(502, 'the service answered with a head that cannot be passed on', error))
      return
    }
    const proxy = this.#proxy as HttpProxy
    const fields = proxy.changeResponse(passedOn(raw, connection, () => false))
    const context = { request: this.#context as RequestContext, status, headers: fields }
    const hooked = this.#hooks?.response(context)
    if (hooked === undefined) this.#pass(answer, status, fields)
    else {
      hooked.then(
        () => {
          if (this.#over) return
          const fit = context.headers.every((field) => isField(field) && !isOurs(field[0].toLowerCase()))
          if (fit && Number.isInteger(context.status) && context.status > 199 && context.status < 600) {
            this.#pass(answer, context.status, context.headers)
            return
          }
          this.#asked?.abort()
          const detail = 'a head that cannot be'
          this.#fail(problemOf(new RystraError('hook.failed', { side: 'server', detail })))
        },
        (error: unknown) => {
          this.#asked?.abort()
          this.#fail(problemOf(toRystraError(error, 'hook.failed', { side: 'server' })))
        }
      )
    }
  }

  #pass(answer: Answer, status: number, fields: HeaderField[]): void {
    const { options } = this.#world
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#late(), options.bodyTimeout)
    if (answer.length !== undefined) fields.push(['Content-Length', answer.length])
    // Without the rest of the body the next request could not be found: nobody waits for what may never come.
    const waiting = this.#besides.expect === true && !this.#reply.wentOn && !this.#bodyEnded
    this.#reply.pass(answer, status, fields, waiting, () => this.#timer?.refresh())
  }

  #upgraded(answer: Answer, stream: Duplex, head: Buffer): void {
    const { upgrade } = this.#besides
    if (this.#over || upgrade === undefined) {
      stream.destroy()
      return
    }
    this.#answered = true
    clearTimeout(this.#timer)
    const proxy = this.#proxy as HttpProxy
    const fields = proxy.changeResponse(passedOn(answer.raw, answer.connection, () => false))
    const context = { request: this.#context as RequestContext, status: 101, headers: fields }
    const go = (): void => {
      this.#reply.leave(upgrade.socket)
      switchProtocols(
        upgrade.socket,
        upgrade.head,
        stream,
        head,
        upgrade.protocol,
        context.headers,
        (toService, toVisitor, error) => {
          this.#bytesIn = toService
          this.#reply.bytes = toVisitor
          this.#finish(101, error === undefined ? undefined : toRystraError(error, 'stream.reset'))
        }
      )
    }
    const hooked = this.#hooks?.response(context)
    if (hooked === undefined) go()
    else {
      hooked.then(go, (error: unknown) => {
        stream.destroy()
        this.#fail(problemOf(toRystraError(error, 'hook.failed', { side: 'server' })))
      })
    }
  }

  #respond({ status, headers = [], body = '' }: Respond['respond']): void {
    const fields = headers.filter((field) => isField([...field]) && !isOurs(field[0].toLowerCase()))
    const valid = Number.isInteger(status) && status >= 200 && status <= 599
    this.#dropBody()
    this.#reply.whole(
      valid ? status : 500,
      flat(fields),
      Buffer.from(body),
      !this.#bodyEnded && this.#head?.hasBody === true
    )
  }

  /** Answers with a page, or breaks off when the answer has begun. */
  #fail(problem: Problem): void {
    if (this.#over) return
    clearTimeout(this.#timer)
    this.#error = problem.error ?? this.#error
    this.#giveUp?.abort()
    this.#asked?.abort()
    if (this.#reply.begun) {
      this.#reply.breakOff()
      return
    }
    const page = this.#world.pages.render(problem, this.#request.headers.accept, this.#proxy?.pages)
    const fields = ['Content-Type', page.type, 'Cache-Control', 'no-store']
    if (problem.status === 401) fields.push('WWW-Authenticate', 'Basic realm="restricted", charset="UTF-8"')
    if (problem.status === 405) fields.push('Allow', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS')
    if (problem.retryAfter !== undefined) fields.push('Retry-After', String(Math.ceil(problem.retryAfter)))
    if (problem.error !== undefined) fields.push('X-Rystra-Error', problem.error.code)
    this.#dropBody()
    // Whose head was not understood has not been followed to its end either.
    const unsure = this.#head === undefined || (this.#head.hasBody && !this.#bodyEnded)
    this.#reply.whole(problem.status, fields, page.body, unsure)
  }

  #dropBody(): void {
    this.#request.removeAllListeners('data')
    this.#request.resume()
  }

  /** Nothing has come or gone for too long. */
  #late(): void {
    if (this.#over) return
    const stalled = this.#head?.hasBody === true && !this.#bodyEnded
    if (!this.#answered && stalled && (this.#asked === undefined || !this.#request.isPaused())) {
      this.#fail(new Problem(408, 'the body of the request did not come in time'))
      return
    }
    const error = new RystraError(this.#answered ? 'stream.idle' : 'stream.timeout', { side: 'client' })
    this.#fail(this.#answered ? new Problem(504, error.message, error) : problemOf(error))
  }

  #closed(): void {
    const { wasWhole, status } = this.#reply
    if (this.#reply.left) return
    if (!wasWhole) {
      this.#giveUp?.abort()
      this.#asked?.abort()
      this.#error ??= new RystraError('stream.reset', { side: 'server', detail: 'the visitor is gone' })
    }
    this.#finish(this.#reply.begun ? status : 0, this.#error)
  }

  #finish(status: number, error: RystraError | undefined): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    const context = this.#context
    const proxy = this.#proxy
    if (context === undefined || proxy === undefined) return
    const duration = Date.now() - this.#since
    const closed: CloseRequestContext = {
      request: context,
      status,
      bytesToService: this.#bytesIn,
      bytesToVisitor: this.#reply.bytes,
      duration,
      ...(error === undefined ? {} : { error })
    }
    this.#hooks?.closeRequest(closed)
    proxy.host.tell({
      method: context.method.slice(0, 32),
      host: context.host,
      path: (this.#head?.target ?? '').slice(0, 512),
      status,
      duration,
      bytesToService: this.#bytesIn,
      bytesToVisitor: this.#reply.bytes,
      visitor: context.visitor.host,
      ...(error === undefined ? {} : { error: error.code })
    })
  }
}

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value
