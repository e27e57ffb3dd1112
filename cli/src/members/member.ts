import { fromWireError, RystraError } from '@rystra/model'
import type { Clock, RuntimeEvent } from '@rystra/plugin'
import type { FromMember, FromParent, Ready, Requests, Snapshot, SuccessorRequest, ToMember } from './messages.js'
import type { ReceivedHandle } from './handed-sockets.js'

/** Milliseconds for an answer, beside those that the request itself may take. */
const ANSWER_TIMEOUT_MS = 60_000

/** A process that runs one server. */
export interface MemberProcess {
  readonly pid: number
  send(message: FromParent): void
  onMessage(listener: (message: FromMember, handle?: ReceivedHandle) => void): void
  /** Called once. */
  onExit(listener: (code: number | null) => void): void
  kill(): void
}

/** What happens to a {@link Member}. */
export interface MemberEvents {
  /** @param lost Events of streams before it that were not passed on */
  onEvent(member: Member, event: RuntimeEvent, lost: number): void
  /** It is to be replaced, step by step. */
  onSuccessor(member: Member, message: SuccessorRequest, handle: ReceivedHandle | undefined): void
  /** Its process has ended. */
  onExit(member: Member, code: number | null): void
}

interface Pending {
  readonly resolve: (answer: never) => void
  readonly reject: (error: RystraError) => void
  readonly cancel: () => void
}

/** One run of one member, as the parent sees it. */
export class Member {
  readonly name: string
  /** Resolves when its server listens; rejects with why it does not. */
  readonly ready: Promise<void>
  /** Resolves when it has taken over from another process. */
  readonly accepts: Promise<void>
  /** Where it listens; nothing before it is {@link ready}. */
  serves: Ready | undefined
  /** As it was last. */
  snapshot: Snapshot | undefined
  up = false
  readonly #process: MemberProcess
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  #last = 0
  #failed: RystraError | undefined

  constructor(name: string, process: MemberProcess, clock: Clock, events: MemberEvents) {
    this.name = name
    this.#process = process
    this.#clock = clock
    let accept = (): void => {}
    let acceptsNever: (error: RystraError) => void = () => {}
    this.accepts = new Promise((resolve, reject) => {
      accept = resolve
      acceptsNever = reject
    })
    this.accepts.catch(() => {})
    let gone = false
    this.ready = new Promise((resolve, reject) => {
      process.onMessage((message, handle) => {
        if ('event' in message) events.onEvent(this, message.event, message.lost ?? 0)
        else if ('successor' in message) {
          // A message may come behind the end of its sender.
          if (gone) handle?.close()
          else events.onSuccessor(this, message, handle)
        } else if ('serves' in message) accept()
        else if ('ready' in message) {
          this.up = true
          this.serves = message.ready
          resolve()
        } else if ('failed' in message) this.#failed = fromWireError(message.failed, 'server')
        else this.#answered(message)
      })
      process.onExit((code) => {
        this.up = false
        gone = true
        const ended = new RystraError('internal', {
          side: 'server',
          detail: `member ${name} has ended with code ${code}`
        })
        for (const { reject: fail, cancel } of this.#pending.values()) {
          cancel()
          fail(ended)
        }
        this.#pending.clear()
        acceptsNever(ended)
        const cause = this.#failed
        reject(
          cause === undefined
            ? ended
            : new RystraError(cause.code, { side: 'server', detail: `member ${name}: ${cause.detail}`, cause })
        )
        events.onExit(this, code)
      })
    })
    this.ready.catch(() => {})
  }

  /** @param ms Milliseconds that the work itself may take */
  ask<Name extends keyof Requests, Answer>(ask: Name, args: Requests[Name], ms = 0): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      this.#last += 1
      const id = this.#last
      const cancel = this.#clock.after(ms + ANSWER_TIMEOUT_MS, () => {
        this.#pending.delete(id)
        reject(new RystraError('protocol.timeout', { side: 'server', detail: `member ${this.name} does not answer` }))
      })
      this.#pending.set(id, { resolve, reject, cancel })
      this.#process.send({ id, ask, args } as ToMember)
    })
  }

  #answered(message: Extract<FromMember, { id: number }>): void {
    const pending = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    pending?.cancel()
    if ('error' in message) pending?.reject(fromWireError(message.error, 'server'))
    else pending?.resolve(message.answer as never)
  }

  /** Takes another snapshot; keeps the present one when it does not answer. */
  async refresh(): Promise<void> {
    this.snapshot = await this.ask<'snapshot', Snapshot>('snapshot', {}).catch(() => this.snapshot)
  }

  get pid(): number {
    return this.#process.pid
  }

  send(message: FromParent): void {
    this.#process.send(message)
  }

  kill(): void {
    this.#process.kill()
  }
}
