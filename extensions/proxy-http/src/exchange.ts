import {
  type CloseRequestContext,
  type HeaderField,
  type PublishHost,
  type RequestContext,
  type Respond,
  RystraError,
  toRystraError
} from '@rystra/plugin'
import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Answer, Asked, Question } from './ask.js'
import { answerHead, checkHooked, contextOf, questionOf } from './context.js'
import { flat, isField, isOurs } from './fields.js'
import { type Asker, Forwarding } from './forward.js'
import type { Besides, From } from './from.js'
import type { World } from './front.js'
import { type Head, readHead, type VisitorRequest } from './head.js'
import { Members } from './members.js'
import { deniedBy, Problem, problemOf, serviceProblem } from './problem.js'
import type { HttpProxy } from './proxy.js'
import { Reply } from './reply.js'
import { ifCutOff, sendBody } from './send-body.js'
import { switchProtocols } from './upgrade.js'

const hookFailed = (error: unknown): Problem => problemOf(error, 'hook.failed', 'server')

/** One request of a visitor, and its answer. */
export class Exchange implements Asker {
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
  #forwarding: Forwarding | undefined
  #timer: NodeJS.Timeout | undefined
  #bytesIn = 0
  #bodyEnded = false
  #answered = false
  #failed = false
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
      const { members, head } = this.#route()
      const { proxy } = members
      this.#proxy = proxy
      this.#wait(this.#world.options.answerTimeout)
      const context = contextOf(this.#world, this.#request, this.#from, proxy, head)
      this.#context = context
      this.#hooks = proxy.host.hooks
      const asked = this.#hooks.request(context)
      if (asked === undefined) this.#forward(members, head, context)
      else {
        asked
          .then((answer) => {
            if (this.#over || this.#failed) return
            if (answer === undefined) {
              checkHooked(context)
              this.#forward(members, head, context)
            } else if ('respond' in answer) this.#respond(answer.respond)
            else this.#fail(deniedBy(answer))
          })
          .catch((error: unknown) => this.#fail(hookFailed(error)))
      }
    } catch (error) {
      this.#fail(problemOf(error, 'internal', 'server'))
    }
  }

  #route(): { members: Members; head: Head } {
    const { options, table } = this.#world
    const head = readHead(this.#request, options.maxHeaders)
    this.#head = head
    const { serverName, visitor } = this.#from
    if (serverName !== undefined && serverName.toLowerCase() !== head.host) {
      throw new Problem(421, 'this connection was made for another host')
    }
    const found = table.find(head.host, head.path, visitor)
    if (found === undefined) throw new Problem(404, `there is nothing here under ${head.host}${head.path}`)
    if (found.proxy === undefined) throw problemOf(new RystraError('stream.no-member', { side: 'server' }))
    return { members: new Members(found.claim, found.proxy, visitor), head }
  }

  #forward(members: Members, head: Head, context: RequestContext): void {
    const { maxHeadSize } = this.#world.options
    // Behind the hooks: they count those who guess, and send those elsewhere who would say it in the clear.
    if (members.proxy.credentials?.admit(this.#request.headers.authorization) === false) {
      throw new Problem(401, 'user and password are needed')
    }
    const questionFor = (proxy: HttpProxy): Question => questionOf(proxy, head, context, this.#from, this.#besides)
    this.#forwarding = new Forwarding(members, questionFor, this.#from.visitor, maxHeadSize, this)
    this.#forwarding.start()
  }

  onMember(proxy: HttpProxy): void {
    this.#proxy = proxy
    // Whoever looks at the request from here on sees who serves it.
    Object.assign(this.#context as RequestContext, { proxy: proxy.spec, session: proxy.host.session })
  }

  /** Sends the body after its head, as fast as the service takes it. */
  onAsked(asked: Asked): void {
    const { hasBody, length } = this.#head as Head
    if (!hasBody) {
      this.#bodyEnded = true
      asked.end([])
      return
    }
    sendBody(this.#request, asked, {
      moved: (bytes) => {
        this.#bytesIn += bytes
        this.#timer?.refresh()
      },
      ended: () => {
        this.#bodyEnded = true
        if (length === undefined || this.#bytesIn === length) return true
        this.#fail(new Problem(400, 'the body is not as long as it said'))
        return false
      }
    })
  }

  onContinue(): void {
    // Once: a service that says it without end has not begun its answer.
    if (this.#besides.expect !== true || this.#reply.wentOn) return
    this.#timer?.refresh()
    this.#reply.goOn()
  }

  onInformation(status: number, fields: readonly HeaderField[]): void {
    this.#reply.inform(status, fields)
  }

  onFailure(error: Error): void {
    this.#fail(serviceProblem(error))
  }

  onAnswer(answer: Answer): void {
    if (this.#over) return
    this.#answered = true
    const { status, raw } = answer
    const { maxHeaders } = this.#world.options
    if (raw.length / 2 > maxHeaders || status < 200 || status > 999) {
      const detail = status < 200 ? `status ${status}` : `more than ${maxHeaders} fields in its head`
      const error = new RystraError('stream.reset', { side: 'client', detail })
      this.#fail(new Problem(502, 'the service answered with a head that cannot be passed on', error))
      return
    }
    this.#hooked(status, answer, (changed, fields) => {
      this.#wait(this.#world.options.bodyTimeout)
      // Without the rest of the body the next request could not be found: nobody waits for what may never come.
      const waiting = this.#besides.expect === true && !this.#reply.wentOn && !this.#bodyEnded
      this.#reply.pass(answer, changed, fields, waiting, () => this.#timer?.refresh())
    })
  }

  onUpgrade(answer: Answer, stream: Duplex, head: Buffer): void {
    const { upgrade } = this.#besides
    if (this.#over || this.#failed || upgrade === undefined) {
      stream.destroy()
      return
    }
    const { socket, protocol } = upgrade
    this.#answered = true
    this.#hooked(
      101,
      answer,
      (_, fields) => {
        clearTimeout(this.#timer)
        this.#reply.leave(socket)
        switchProtocols(socket, upgrade.head, stream, head, protocol, fields, (toService, toVisitor, error) => {
          this.#bytesIn = toService
          this.#reply.bytes = toVisitor
          this.#finish(101, error === undefined ? undefined : toRystraError(error, 'stream.reset'))
        })
      },
      () => stream.destroy()
    )
  }

  /** Changes the head of an answer, and lets hooks do so; then goes on, unless one of them failed. */
  #hooked(
    status: number,
    answer: Answer,
    go: (status: number, fields: HeaderField[]) => void,
    giveUp: () => void = () => {}
  ): void {
    const head = answerHead(this.#proxy as HttpProxy, this.#context as RequestContext, status, answer, this.#hooks)
    if (!(head instanceof Promise)) {
      go(head.status, head.headers)
      return
    }
    head
      .then((changed) => (this.#over || this.#failed ? giveUp() : go(changed.status, changed.headers)))
      .catch((error: unknown) => {
        giveUp()
        this.#fail(hookFailed(error))
      })
  }

  #respond({ status, headers = [], body = '' }: Respond['respond']): void {
    const fields = headers.filter((field) => isField([...field]) && !isOurs(field[0].toLowerCase()))
    const valid = Number.isInteger(status) && status >= 200 && status <= 599
    this.#dropBody()
    this.#wait(this.#world.options.bodyTimeout)
    this.#reply.whole(valid ? status : 500, flat(fields), Buffer.from(body), this.#head?.hasBody === true)
  }

  /** Answers with a page, or breaks off when the answer has begun. */
  #fail(problem: Problem): void {
    if (this.#over) return
    this.#error ??= problem.error
    this.#forwarding?.abort()
    if (this.#failed || this.#reply.begun) {
      this.#reply.breakOff()
      return
    }
    this.#failed = true
    this.#wait(this.#world.options.bodyTimeout)
    this.#dropBody()
    // Whose head was not understood has not been followed to its end either.
    const unsure = this.#head === undefined || (this.#head.hasBody && !this.#bodyEnded)
    this.#reply.refuse(
      problem,
      this.#world.pages.render(problem, this.#request.headers.accept, this.#proxy?.pages),
      unsure
    )
  }

  #dropBody(): void {
    this.#request.removeAllListeners('data')
    this.#request.resume()
  }

  #wait(timeout: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#late(), timeout)
  }

  /** Nothing has come or gone for too long. */
  #late(): void {
    const stalled = this.#head?.hasBody === true && !this.#bodyEnded && !this.#request.isPaused()
    if (!this.#answered && !this.#failed && stalled) {
      this.#fail(new Problem(408, 'the body of the request did not come in time'))
      return
    }
    this.#fail(problemOf(new RystraError(this.#answered ? 'stream.idle' : 'stream.timeout', { side: 'client' })))
  }

  #closed(): void {
    const { wasWhole, status, left } = this.#reply
    if (left) return
    if (!wasWhole) {
      this.#forwarding?.abort()
      this.#error ??= new RystraError('stream.reset', { side: 'server', detail: 'the visitor is gone' })
    } else if (this.#head?.hasBody === true && !this.#bodyEnded)
      ifCutOff(this.#request, () => this.#forwarding?.abort())
    this.#finish(this.#reply.begun ? status : 0, this.#error)
  }

  #finish(status: number, error: RystraError | undefined): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    const context = this.#context
    if (context === undefined) return
    const bytes = { bytesToService: this.#bytesIn, bytesToVisitor: this.#reply.bytes }
    const ended = { request: context, status, ...bytes, duration: Date.now() - this.#since }
    const closed: CloseRequestContext = error === undefined ? ended : { ...ended, error }
    this.#hooks?.closeRequest(closed)
    this.#proxy?.tell(closed, (this.#head as Head).target)
  }
}
