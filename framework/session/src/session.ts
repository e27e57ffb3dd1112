import { type Address, type Logger, RystraError, type SessionInfo, type Side } from '@rystra/model'
import type { Clock, DataLinks, StreamLink } from '@rystra/plugin'
import {
  encode,
  errorField,
  errorFrom,
  type GoAway,
  MAX_ALTERNATIVES,
  MAX_MILLISECONDS,
  type Message
} from '@rystra/protocol'
import { type RawStream, rawOf } from '@rystra/bytes'
import type { Duplex } from 'node:stream'
import { DatagramFlows } from './datagram-flows.js'
import { type DialDataLink, SessionLinks } from './session-links.js'
import { FrameChannel } from './frame-channel.js'
import { type GoAwayNotice, noticeOf } from './go-away.js'
import { Heartbeat, type HeartbeatOptions } from './heartbeat.js'
import { OutgoingStream, type OpenOptions } from './outgoing-stream.js'

/** What a session is made of. */
export interface SessionOptions {
  readonly side: Side
  readonly info: SessionInfo
  /** Makes streams of the authenticated link. */
  readonly wrap: (links: DataLinks) => StreamLink
  /** The stream that authenticated a link which carries streams by itself: it goes on as the control stream. */
  readonly control?: Duplex | undefined
  /** Client: dials a further link of this session. */
  readonly dial?: DialDataLink | undefined
  readonly heartbeat: HeartbeatOptions
  readonly clock: Clock
  readonly log: Logger
}

/** Milliseconds the other side has to end its control stream. */
const CLOSE_TIMEOUT_MS = 500

/** Time for the streams that are open when the other side closes: it sends what it has queued, and resets the rest. */
const PEER_CLOSE_TIMEOUT_MS = 10_000

/** Interval at which they are counted. */
const PEER_CLOSE_CHECK_MS = 100

/** What happens in a {@link Session}. */
export interface SessionEvents {
  /** A message, of so many bytes, other than those that the session answers itself. A throw ends the session. */
  onMessage(message: Message, bytes: number): void
  /** The other side opened a data stream. Left out: it may not. */
  readonly onStream?: (stream: RawStream) => void
  /** The other side wants no more streams, and closes when those that are open are done. */
  onGoAway(error: RystraError | undefined, notice: GoAwayNotice): void
  /** Called once. `error` is absent when it was closed cleanly. */
  onClose(error?: RystraError): void
}

/** The part of a session that both ends share: control stream, heartbeat, streams, end. */
export class Session {
  readonly info: SessionInfo
  readonly link: StreamLink
  /** Further links, for the muxer. */
  readonly links: SessionLinks
  readonly #options: SessionOptions
  readonly #events: SessionEvents
  readonly #heartbeat: Heartbeat
  /** Present when the link has datagrams. */
  readonly flows: DatagramFlows | undefined
  /** Called when the control stream is there, unless it was from the beginning. */
  onStart: (() => void) | undefined
  #channel: FrameChannel | undefined
  #accepts: boolean
  #closed = false
  #closing = false
  #cancelClose: (() => void) | undefined
  #goingAway = false
  /** The other side has sent GoAway: its end of the control stream is in order from then on. */
  #peerGoesAway = false
  /** What this side says of its end. It waits for the control stream where that is not there yet. */
  #goodbye: GoAway | undefined
  #error: RystraError | undefined

  constructor(options: SessionOptions, events: SessionEvents) {
    this.info = options.info
    this.links = new SessionLinks(options.dial, (count) => this.send({ type: 'RequestLinks', count }))
    this.link = options.wrap(this.links)
    this.#options = options
    this.#events = events
    this.#accepts = events.onStream !== undefined
    this.#heartbeat = new Heartbeat(
      options.heartbeat,
      options.clock,
      (seq, time) => this.send({ type: 'Heartbeat', seq, time }),
      () => this.destroy(new RystraError('session.timeout', { side: otherSide(options.side) }))
    )
    const { datagrams } = this.link
    this.flows = datagrams === undefined ? undefined : new DatagramFlows(datagrams, options.side)
    this.link.onStream = (stream) => this.#stream(stream)
    this.link.onClose = (error) =>
      this.#over(error === undefined ? undefined : new RystraError('session.lost', { cause: error }))
    const control = options.control ?? this.link.control
    if (control !== undefined) this.#control(control)
  }

  /** Round trip of the last heartbeat, in milliseconds. */
  get rtt(): number | undefined {
    return this.#heartbeat.rtt
  }

  setHeartbeat(options: HeartbeatOptions): void {
    this.#heartbeat.use(options)
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Whether the control stream is there. */
  get started(): boolean {
    return this.#channel !== undefined
  }

  /** Whether either side has said that it wants no more streams. */
  get goingAway(): boolean {
    return this.#goingAway
  }

  /** Client: opens the control stream, unless the link has one. Server: resolves at once. */
  async start(signal: AbortSignal): Promise<void> {
    if (this.#channel !== undefined || this.#options.side === 'server') return
    const stream = await this.link.open(signal)
    this.#control(stream)
  }

  #control(stream: Duplex): void {
    this.#channel = new FrameChannel(stream, {
      onMessage: (message, bytes) => this.#message(message, bytes),
      onClose: (error) => {
        if (this.#closing) this.link.close()
        else if (error !== undefined) this.destroy(error)
        else if (this.#peerGoesAway) this.#closeAfterPeer()
        // A kernel ends the connections of a process that was killed.
        else this.destroy(new RystraError('session.lost', { detail: 'the control stream ended without GoAway' }))
      }
    })
    this.acceptStreams(this.#accepts)
    this.#heartbeat.start()
    this.onStart?.()
    if (this.#goodbye !== undefined) this.send(this.#goodbye)
    if (this.#closing) this.#channel.end()
  }

  #stream(stream: Duplex): void {
    if (this.#channel === undefined && this.#options.side === 'server') this.#control(stream)
    else this.#events.onStream?.(rawOf(stream))
  }

  #message(message: Message, bytes: number): void {
    this.#heartbeat.heard()
    switch (message.type) {
      case 'Heartbeat':
        this.send({ type: 'HeartbeatAck', seq: message.seq, time: message.time })
        break
      case 'HeartbeatAck':
        this.#heartbeat.answered(message.time)
        break
      case 'RequestLinks':
        this.links.onRequest?.(message.count)
        break
      case 'GoAway':
        this.#goingAway = true
        this.#peerGoesAway = true
        this.#events.onGoAway(
          message.error === undefined ? undefined : errorFrom(message.error, otherSide(this.#options.side)),
          noticeOf(message)
        )
        break
      default:
        this.#events.onMessage(message, bytes)
    }
  }

  /** Whether the other side may open data streams. @default whether there is an `onStream` */
  acceptStreams(accept: boolean): void {
    this.#accepts = accept
    if (this.#channel === undefined) return
    // One without is refused by the link itself, which costs nothing: it makes no stream of it.
    this.link.onStream = accept ? (stream) => this.#stream(stream) : undefined
    this.link.onRawStream = accept ? (stream) => this.#events.onStream?.(stream) : undefined
  }

  /**
   * Opens a data stream. `head` makes the message at its beginning, with the number of the flow of datagrams beside it if
   * there is one. Rejects with `mux.closed`, `stream.limit`, `stream.timeout`, or what encoding throws.
   */
  async open(head: (flow: number | undefined) => Message, options: OpenOptions = {}): Promise<OutgoingStream> {
    const { signal, datagrams = false, timeout } = options
    const { side, clock } = this.#options
    // A stream more would be reset, and keep the link up until then.
    if (this.#closing) throw new RystraError('mux.closed', { side, detail: 'the session is being closed' })
    const flow = datagrams ? this.flows?.open() : undefined
    try {
      // Before a stream is opened: what cannot be said needs none.
      const bytes = Buffer.from(encode(head(flow?.id)))
      const { link } = this
      const inner = link.openRaw === undefined ? rawOf(await link.open(signal)) : await link.openRaw(signal)
      return new OutgoingStream(inner, { side: otherSide(side), head: bytes, flow, clock, timeout })
    } catch (error) {
      flow?.close()
      throw error
    }
  }

  /** Sends a message on the control stream. */
  send(message: Message): void {
    this.#channel?.send(message)
  }

  /** Sends messages that are encoded already. */
  sendFrames(frames: Uint8Array): void {
    this.#channel?.sendFrames(frames)
  }

  /** Whether the other side answers within `ms` milliseconds. */
  probe(ms: number): Promise<boolean> {
    return this.#closed ? Promise.resolve(false) : this.#heartbeat.probe(ms)
  }

  /**
   * Tells the other side to open no more streams. `drain` milliseconds are left to those that are open; a number that the
   * protocol does not know becomes the nearest that it does.
   *
   * @param alternatives See {@link GoAwayNotice}; those behind the first 16 are left out
   */
  goAway(drain: number, error?: RystraError, alternatives?: readonly Address[]): void {
    if (this.#closed) return
    this.#goingAway = true
    const left = Math.round(Math.min(Math.max(0, drain), MAX_MILLISECONDS)) || 0
    this.#goodbye = {
      type: 'GoAway',
      ...(error === undefined ? {} : { error: errorField(error) }),
      drain: left,
      ...(alternatives === undefined
        ? {}
        : { alternatives: alternatives.slice(0, MAX_ALTERNATIVES).map(({ host, port }) => [host, port] as const) })
    }
    this.send(this.#goodbye)
  }

  /**
   * Ends cleanly: says GoAway, if it has not, sends what is queued, and closes the link when the other side has ended its
   * control stream too, so that no muxer resets it on the way. Open streams are reset then.
   */
  close(error?: RystraError): void {
    if (this.#closed) return
    this.#error ??= error
    if (this.#channel === undefined && this.#options.side === 'client') this.link.close()
    else if (!this.#closing) {
      if (this.#goodbye === undefined) this.goAway(0)
      this.#closing = true
      // A server waits for the control stream, which is on its way: without it the client would see a loss.
      this.#channel?.end()
      this.#cancelClose = this.#options.clock.after(CLOSE_TIMEOUT_MS, () => this.link.close())
    }
  }

  /** The other side has ended its control stream. Closing the link here would reset what it still sends. */
  #closeAfterPeer(): void {
    this.#closing = true
    this.#channel?.end()
    this.#heartbeat.stop()
    const { clock } = this.#options
    const deadline = clock.now() + PEER_CLOSE_TIMEOUT_MS
    const check = (): void => {
      if (this.#closed) return
      if (this.link.streams === 0 || clock.now() >= deadline) this.link.close()
      else this.#cancelClose = clock.after(PEER_CLOSE_CHECK_MS, check)
    }
    check()
  }

  /** Ends at once. */
  destroy(error?: RystraError): void {
    if (this.#closed) return
    this.#error ??= error
    this.link.destroy(error)
  }

  #over(error?: RystraError): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelClose?.()
    this.#heartbeat.stop()
    this.#events.onClose(this.#error ?? (this.#closing ? undefined : error))
  }
}

const otherSide = (side: Side): Side => (side === 'server' ? 'client' : 'server')
