import type { RawStream } from '@rystra/bytes'
import {
  background,
  isRefusal,
  type Logger,
  RystraError,
  type SessionInfo,
  type VisitorInfo,
  toRystraError
} from '@rystra/model'
import { returned } from '@rystra/net'
import type { Visit as VisitMessage } from '@rystra/protocol'
import type { Details, StreamLink } from '@rystra/plugin'
import { type Channels, type DatagramFlows, readMessage, refuseStream, visitorIn } from '@rystra/session'
import type { ServerProxy } from './proxy.js'
import { relayOpened } from './relay-opened.js'
import { type Admit, MEMBER_TIMEOUT_MS, visitKey } from './visitable.js'
import type { ServerState } from './state.js'

/** Milliseconds for the head of a stream: the client sends it with the first packet. */
const HEAD_TIMEOUT_MS = 10_000

/** Streams of one client that have not said yet what they are for, at most. */
const HEADS_LIMIT = 1024

/** A proxy that accepts visits. */
interface Visitable {
  readonly proxy: ServerProxy
  readonly admit: Admit
}

/** The session of the client that visits. */
export interface VisitingSession {
  readonly info: SessionInfo
  readonly log: Logger
  readonly link: Pick<StreamLink, 'streams'>
  readonly channels: Channels
  readonly flows: DatagramFlows | undefined
}

/** How a visit is relayed. */
interface To {
  readonly details: Details
  /** The number of the flow of datagrams that the visiting client has beside the stream. */
  readonly flow: number | undefined
  /** Whether another member could serve it. */
  readonly several: boolean
}

/** What is about the visitor: another member would not be asked anything else. */
const isDecided = (code: string): boolean =>
  isRefusal(code) || code === 'stream.no-visits' || code === 'protocol.unexpected'

/** Takes the streams that one client opens: a visit to a proxy of another client, or a channel. */
export class Visits {
  readonly #session: VisitingSession
  readonly #state: ServerState
  #heads = 0

  constructor(session: VisitingSession, state: ServerState) {
    this.#session = session
    this.#state = state
  }

  take(raw: RawStream): void {
    const { clock, config, log } = this.#state
    const { link, channels } = this.#session
    const over = link.streams - channels.size - config.limits.streamsPerSession
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
    const cancel = clock.after(HEAD_TIMEOUT_MS, () => raw.reset())
    const taken = (): void => {
      cancel()
      this.#heads -= 1
    }
    readMessage(raw, {
      onMessage: (message) => {
        taken()
        if (message.type === 'Visit') background(this.#visit(raw, message), log, 'a visit failed')
        else if (message.type === 'OpenChannel') channels.accept(raw, message)
        else raw.reset()
      },
      onError: (error) => {
        taken()
        log.debug({ err: error }, 'a stream of a client ended before it began')
        raw.reset()
      }
    })
  }

  async #visit(raw: RawStream, { kind, of, visitor, to, flow, details = {} }: VisitMessage): Promise<void> {
    const session = this.#session.info
    const { claims, clock, ports, refused } = this.#state
    const from: VisitorInfo = { ...visitorIn({ visitor, to }), through: session }
    const nothing = new RystraError('stream.no-visits', { side: 'server', detail: of })
    // A visit that is refused gets the answer of a proxy that does not exist; the reason is logged only.
    const refuse = (error: RystraError): void => refuseStream(raw, error.code === nothing.code ? nothing : error, clock)
    let held: Awaited<ReturnType<typeof claims.find<Visitable>>>
    const tried = new Set<Visitable>()
    /** Has a member that was not asked yet let the visitor in. */
    const ask = async (): Promise<void> => {
      // The stream may go while it is asked whether it may be.
      let gone = raw.closed
      raw.onClose = () => {
        gone = true
      }
      const found = held?.pick(from, tried)
      if (found === undefined) throw nothing
      tried.add(found)
      const admitted = await found.admit({ session, visitor: from, details })
      if (gone) return
      raw.onClose = undefined
      await this.#relay(raw, from, found.proxy, { details: admitted, flow, several: (held?.size ?? 0) > 1 }).catch(
        (error: RystraError) => {
          const last = isDecided(error.code) || held?.pick(from, tried) === undefined
          if (last || raw.closed) refuse(error)
          else ask().catch(failed)
        }
      )
    }
    const failed = (cause: unknown): void => {
      const error = toRystraError(cause, 'internal', { side: 'server' })
      this.#session.log.info({ kind, of, err: error }, 'a visit was refused')
      refused({ what: 'stream', error, subject: `${of} of ${session.client.id}`, session })
      if (!raw.closed) refuse(error)
    }
    try {
      const isFound = async (): Promise<boolean> => {
        held = await claims.find<Visitable>(visitKey(kind, of))
        return held !== undefined || raw.closed
      }
      // After a change of processes its client may be about to come back.
      const { returning } = ports
      if (!(await isFound()) && returning !== undefined && ports.awaits(of)) await returned(isFound, returning)
      await ask()
    } catch (error) {
      failed(error)
    }
  }

  /** Rejects with what refuses the visit; nothing was taken from the stream then. */
  #relay(raw: RawStream, from: VisitorInfo, proxy: ServerProxy, { details, flow, several }: To): Promise<void> {
    return relayOpened(raw, { number: flow, flows: this.#session.flows }, (datagrams) =>
      proxy.open(from, { details, datagrams, follows: raw, ...(several ? { timeout: MEMBER_TIMEOUT_MS } : {}) })
    )
  }
}
