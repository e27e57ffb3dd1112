import { RystraError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'
import { errorFrom, type PushProxyAck } from '@rystra/protocol'
import type { PushedProxy } from './pushed-proxy.js'
import type { PushSession } from './push-session.js'

/** Milliseconds a client has to publish what is pushed: its registration may wait for the holder of a port, and for hooks. */
const ANSWER_TIMEOUT_MS = 60_000

interface Request {
  readonly session: PushSession
  readonly pushed: PushedProxy
  settle(error?: RystraError): void
}

/** Pushes that clients have not answered. */
export class PushRequests {
  readonly #clock: Clock
  readonly #pending = new Map<number, Request>()
  #last = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when the client says that it is published; rejects with what it says, or when it says nothing. */
  ask(session: PushSession, pushed: PushedProxy): Promise<void> {
    if (session.ended) return Promise.reject(new RystraError('session.lost'))
    this.#last += 1
    const request = this.#last
    const { spec, by, expiresAt } = pushed.record
    const left = expiresAt === undefined ? {} : { expiresIn: Math.max(1000, expiresAt - this.#clock.now()) }
    return new Promise((resolve, reject) => {
      const cancel = this.#clock.after(ANSWER_TIMEOUT_MS, () => settle(noAnswer()))
      const settle = (error?: RystraError): void => {
        cancel()
        this.#pending.delete(request)
        if (error === undefined) resolve()
        else reject(error)
      }
      this.#pending.set(request, { session, pushed, settle })
      const caller = by === undefined ? {} : { by }
      session.started
        .then(() => session.send({ type: 'PushProxy', request, spec: { ...spec, ...left }, ...caller }))
        .catch(settle)
    })
  }

  /** What a client registers for a request; nothing for one that this session was not asked. */
  find(session: PushSession, request: number): PushedProxy | undefined {
    const found = this.#pending.get(request)
    return found?.session === session ? found.pushed : undefined
  }

  /** One that answers nothing is ignored. */
  answered(session: PushSession, { request, error }: Omit<PushProxyAck, 'type'>): void {
    const found = this.#pending.get(request)
    if (found?.session === session) found.settle(error === undefined ? undefined : errorFrom(error, 'client'))
  }

  /** There will be no answers of this session any more. */
  end(session: PushSession): void {
    for (const one of this.#pending.values()) if (one.session === session) one.settle(new RystraError('session.lost'))
  }
}

const noAnswer = (): RystraError =>
  new RystraError('protocol.timeout', { side: 'client', detail: 'it does not answer for a pushed proxy' })
