import { isRystraError, RystraError, type VisitorInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { Asked, Listener, Question } from './ask.js'
import { askH1 } from './ask-h1.js'
import { askH2 } from './ask-h2.js'
import type { Members } from './members.js'
import { Problem } from './problem.js'
import type { HttpProxy } from './proxy.js'

/** Methods that do the same when done twice, RFC 9110 §9.2.2. */
const repeatable = /^(GET|HEAD|OPTIONS|PUT|DELETE|TRACE)$/

/** Who waits for an answer, and has the body to send. */
export interface Asker extends Listener {
  /** The head is on its way; the body may follow. Once more when a request without a body had to be repeated. */
  onAsked(asked: Asked): void
  /** Another member of the group is asked instead. */
  onMember(proxy: HttpProxy): void
}

/**
 * A request on its way to its service: over a stream that waits, a new one, or the HTTP/2 connection. Goes to another
 * member of the group when the service cannot be reached, and, if it may be made twice, when it breaks off before it
 * answers.
 */
export class Forwarding {
  readonly #members: Members
  readonly #questionFor: (proxy: HttpProxy) => Question
  readonly #visitor: VisitorInfo
  readonly #maxHeadSize: number
  readonly #asker: Asker
  #proxy: HttpProxy
  #question: Question
  readonly #again: boolean
  /** It was sent once more to the same member. */
  #repeated = false
  #asked: Asked | undefined
  #opening: AbortController | undefined
  #over = false

  constructor(
    members: Members,
    questionFor: (proxy: HttpProxy) => Question,
    visitor: VisitorInfo,
    maxHeadSize: number,
    asker: Asker
  ) {
    this.#members = members
    this.#questionFor = questionFor
    this.#visitor = visitor
    this.#maxHeadSize = maxHeadSize
    this.#asker = asker
    this.#proxy = members.proxy
    this.#question = questionFor(this.#proxy)
    this.#again = repeatable.test(this.#question.method) && !this.#question.hasBody
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

  /** Asks another member, if there is one; whom a hook refused, it refused. */
  #elsewhere(error: Error): void {
    if (this.#over) return
    const refused = isRystraError(error) && error.code === 'stream.refused'
    const next = refused ? undefined : this.#members.next()
    if (next === undefined) {
      this.#fail(error)
      return
    }
    this.#proxy = next
    this.#question = this.#questionFor(next)
    this.#repeated = false
    this.#asker.onMember(next)
    this.start()
  }

  #startH2(): void {
    this.#proxy.service.session(this.#visitor, this.#members.patience).then(
      (session) => this.#go((listener) => askH2(this.#question, session, listener), !this.#repeated),
      (error: Error) => this.#elsewhere(error)
    )
  }

  #open(): void {
    const opening = new AbortController()
    this.#opening = opening
    this.#proxy.pool.open(this.#visitor, opening.signal, this.#members.patience).then(
      (stream) => {
        this.#opening = undefined
        if (this.#over) stream.destroy()
        else this.#ask(stream, false)
      },
      (error: Error) => this.#elsewhere(error)
    )
  }

  #ask(stream: Duplex, kept: boolean): void {
    this.#go((listener) => askH1(this.#question, stream, this.#maxHeadSize, listener), kept)
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

  /** @param kept whether others may have been on this connection: then it may be over, and the service still well */
  #go(ask: (listener: Listener) => Asked, kept: boolean): void {
    if (this.#over) return
    let answered = false
    const asker = this.#asker
    try {
      this.#asked = ask({
        onContinue: () => this.#passOn(() => asker.onContinue()),
        onInformation: (status, fields) => this.#passOn(() => asker.onInformation(status, fields)),
        onAnswer: (answer) => {
          answered = true
          this.#passOn(() => asker.onAnswer(answer))
        },
        onUpgrade: (answer, stream, head) => this.#passOn(() => asker.onUpgrade(answer, stream, head)),
        onFailure: (error, done) => {
          const anew = done === 'untouched' ? !this.#question.hasBody : done === 'lost' && this.#again
          if (answered || !anew || this.#over) this.#fail(error)
          else if (kept) this.#repeat()
          else this.#elsewhere(error)
        }
      })
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    asker.onAsked(this.#asked)
  }

  /** Over a new connection: the service has closed the one before, maybe as the request was on its way. */
  #repeat(): void {
    this.#repeated = true
    if (this.#proxy.spec.h2 === true && this.#question.upgrade === undefined) this.#startH2()
    else this.#open()
  }
}
