import { rawOf } from '@rystra/bytes'
import { RystraError, type VisitorInfo, toRystraError } from '@rystra/model'
import { streamReadyFrame, type Visit as VisitMessage } from '@rystra/protocol'
import { readMessage, refuseStream } from '@rystra/session'
import type { Duplex } from 'node:stream'
import { type Admit, type ServerProxy, visitKey } from './proxy.js'
import type { ServerSession } from './server-session.js'
import type { ServerState } from './state.js'
import { relayVisitor } from './visitor.js'

/** Milliseconds for the head of a stream: the client sends it with the first packet. */
const HEAD_TIMEOUT = 10_000

/** Streams of one client that have not said yet what they are for, at most. */
const HEADS_LIMIT = 1024

const ready = Buffer.from(streamReadyFrame)

/** Takes the streams that one client opens: each is a visit to a proxy of some other client. */
export class Visits {
  readonly #session: ServerSession
  readonly #state: ServerState
  #heads = 0

  constructor(session: ServerSession, state: ServerState) {
    this.#session = session
    this.#state = state
  }

  take(stream: Duplex): void {
    const raw = rawOf(stream)
    const { clock, config, log } = this.#state
    const over = this.#session.link.streams - config.limits.streamsPerSession
    if (this.#heads >= HEADS_LIMIT || over > HEADS_LIMIT) {
      raw.reset()
      return
    }
    if (over > 0) {
      const detail = `client ${this.#session.info.client.id}`
      refuseStream(raw, new RystraError('stream.limit', { side: 'server', detail }), clock)
      return
    }
    this.#heads += 1
    const cancel = clock.after(HEAD_TIMEOUT, () => raw.reset())
    const taken = (): void => {
      cancel()
      this.#heads -= 1
    }
    readMessage(raw, {
      onMessage: (message) => {
        taken()
        if (message.type === 'Visit') void this.#visit(stream, message)
        else raw.reset()
      },
      onError: (error) => {
        taken()
        log.debug({ err: error }, 'a stream of a client ended before it began')
        raw.reset()
      }
    })
  }

  async #visit(stream: Duplex, { kind, of, visitor, to, flow, details = {} }: VisitMessage): Promise<void> {
    const raw = rawOf(stream)
    const session = this.#session.info
    const { claims, clock, refused } = this.#state
    const from: VisitorInfo = {
      host: visitor[0],
      port: visitor[1],
      to: { host: to[0], port: to[1] },
      through: session
    }
    const nothing = new RystraError('stream.no-visits', { side: 'server', detail: of })
    // Who may not visit is told what is said where there is nothing: why is for the log.
    const refuse = (error: RystraError): void => refuseStream(raw, error.code === nothing.code ? nothing : error, clock)
    // The stream may go while it is asked whether it may be.
    let gone = raw.closed
    raw.onClose = () => {
      gone = true
    }
    try {
      const found = claims.get<{ proxy: ServerProxy; admit: Admit }>(visitKey(kind, of))?.pick(from)
      if (found === undefined) throw nothing
      const told = await found.admit({ session, visitor: from, details })
      if (gone) return
      raw.onClose = undefined
      const there = flow === undefined ? undefined : this.#session.joinFlows(flow, found.proxy.owner)
      relayVisitor(stream, from, found.proxy, this.#state, {
        details: told,
        ...(there === undefined ? {} : { flow: there.id, closed: there.close }),
        reached: (error) => {
          if (error === undefined) raw.write(ready, 0, ready.length, false)
        },
        refused: refuse
      })
    } catch (cause) {
      const error = toRystraError(cause, 'internal', { side: 'server' })
      this.#session.log.info({ kind, of, err: error }, 'a visit was refused')
      refused({ what: 'stream', error, who: `${of} of ${session.client.id}`, session })
      if (!gone) refuse(error)
    }
  }
}
