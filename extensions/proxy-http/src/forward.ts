import { RystraError, type VisitorInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { Asked, Listener, Question } from './ask.js'
import { askH1 } from './ask-h1.js'
import { askH2 } from './ask-h2.js'
import { Problem } from './problem.js'
import type { HttpProxy } from './proxy.js'

/** Methods that do the same when done twice, RFC 9110 §9.2.2. */
const repeatable = /^(GET|HEAD|OPTIONS|PUT|DELETE|TRACE)$/

/** Who waits for an answer, and has the body to send. */
export interface Asker extends Listener {
  /** The head is on its way; the body may follow. Once more when a request without a body had to be repeated. */
  onAsked(asked: Asked): void
}

/** A request on its way to its service: over a stream that waits, a new one, or the HTTP/2 connection. */
export class Forwarding {
  readonly #proxy: HttpProxy
  readonly #question: Question
  readonly #visitor: VisitorInfo
  readonly #maxHeadSize: number
  readonly #asker: Asker
  readonly #again: boolean
  #asked: Asked | undefined
  #opening: AbortController | undefined
  #over = false

  constructor(proxy: HttpProxy, question: Question, visitor: VisitorInfo, maxHeadSize: number, asker: Asker) {
    this.#proxy = proxy
    this.#question = question
    this.#visitor = visitor
    this.#maxHeadSize = maxHeadSize
    this.#asker = asker
    this.#again = repeatable.test(question.method) && !question.hasBody && question.upgrade === undefined
  }

  start(): void {
    if (this.#proxy.spec.h2 === true && this.#question.upgrade === undefined) {
      this.#startH2()
      return
    }
    const kept = this.#proxy.pool.take(this.#visitor, this.#again)
    if (kept === undefined) this.#open()
    else this.#ask(kept, true)
  }

  /** Nobody wants the answer any more. */
  abort(): void {
    this.#over = true
    this.#opening?.abort()
    this.#asked?.abort()
  }

  #fail(error: Error): void {
    if (this.#over) return
    this.#over = true
    this.#asker.onFailure(error)
  }

  #startH2(): void {
    this.#proxy.service.session(this.#visitor).then(
      (session) => this.#go((listener) => askH2(this.#question, session, listener), false),
      (error: Error) => this.#fail(error)
    )
  }

  #open(): void {
    const opening = new AbortController()
    this.#opening = opening
    this.#proxy.pool.open(this.#visitor, opening.signal).then(
      (stream) => {
        this.#opening = undefined
        if (this.#over) stream.destroy()
        else this.#ask(stream, false)
      },
      (error: Error) => this.#fail(error)
    )
  }

  #ask(stream: Duplex, kept: boolean): void {
    this.#go((listener) => askH1(this.#question, stream, this.#maxHeadSize, listener), kept && this.#again)
  }

  /** What cannot be said to the visitor in its version of HTTP ends this request, and nothing else. */
  #passOn(act: () => void): void {
    try {
      act()
    } catch (cause) {
      this.#asked?.abort()
      const error = new RystraError('stream.reset', { side: 'client', detail: (cause as Error).message, cause })
      this.#fail(new Problem(502, 'the service answered with a head that cannot be passed on', error))
    }
  }

  /** @param repeat whether it may be sent once more, over a new stream, should nothing come back */
  #go(ask: (listener: Listener) => Asked, repeat: boolean): void {
    if (this.#over) return
    let answered = false
    const asker = this.#asker
    try {
      this.#asked = ask({
        onContinue: () => asker.onContinue(),
        onInformation: (status, fields) => this.#passOn(() => asker.onInformation(status, fields)),
        onAnswer: (answer) => {
          answered = true
          this.#passOn(() => asker.onAnswer(answer))
        },
        onUpgrade: (answer, stream, head) => asker.onUpgrade(answer, stream, head),
        onFailure: (error) => {
          // The service closed the stream before it saw the request.
          if (repeat && !answered && !this.#over && (error as { code?: string }).code === 'ECONNRESET') this.#open()
          else this.#fail(error)
        }
      })
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    asker.onAsked(this.#asked)
  }
}
