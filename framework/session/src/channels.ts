import type { GenerationRef, Generations } from '@rystra/kernel'
import { CountedStream, type RawStream } from '@rystra/bytes'
import { background, type Logger, RystraError, type SessionInfo, type Side, toRystraError } from '@rystra/model'
import type {
  Channel,
  ChannelHandler,
  ChannelInfo,
  ChannelOpener,
  ChannelOptions,
  ChannelWork,
  Clock
} from '@rystra/plugin'
import type { OpenChannel } from '@rystra/protocol'
import { ChannelLifecycle } from './channel-lifecycle.js'
import type { CountedFlow, DatagramFlows } from './datagram-flows.js'
import type { OutgoingStream, OpenOptions } from './outgoing-stream.js'
import { passChannel } from './pass-channel.js'
import { readyFrame } from './ready-frame.js'
import { refuseStream } from './refuse-stream.js'

/** Channels of one session at once, in both directions, where nothing else is configured. */
const MAX_CHANNELS = 4096

/** What {@link Channels} of a session need. */
export interface ChannelsHost {
  readonly info: SessionInfo
  readonly side: Side
  readonly generations: Generations
  readonly clock: Clock
  readonly log: Logger
  /** Absent where the link has no datagrams. */
  readonly flows: DatagramFlows | undefined
  /** @default {@link MAX_CHANNELS} */
  readonly limit?: number
  /** See `Session.open`. */
  open(head: (flow: number | undefined) => OpenChannel, options: OpenOptions): Promise<OutgoingStream>
  /** One more channel that this end opened, or one less. */
  readonly counted?: (by: 1 | -1) => void
}

/** The channels of one session, opened by either end. They are no visitors' streams and have a limit of their own. */
export class Channels implements ChannelOpener {
  readonly #host: ChannelsHost
  /** Channels that end in order with the session. */
  #ending: Map<Channel, () => void> | undefined
  /** Channels whose work a drain waits for. */
  #working: Map<Channel, ChannelWork> | undefined
  #closing = false
  #open = 0
  #opened = 0

  constructor(host: ChannelsHost) {
    this.#host = host
  }

  /** Channels that are open or being opened. */
  get size(): number {
    return this.#open
  }

  get reportCall(): ChannelOpener['reportCall'] {
    const { info, side, generations } = this.#host
    const report = generations.current.calls.call
    return report && ((call) => report({ ...call, session: info, side }))
  }

  /** This end closes the session cleanly: it opens no more. */
  closing(): void {
    this.#closing = true
    for (const end of this.#ending?.values() ?? [])
      try {
        end()
      } catch (error) {
        this.#host.log.error({ err: error }, 'a channel could not be ended')
      }
  }

  /** What a drain waits for, of so many streams of the link: a channel is open for as long as its session, its work is not. */
  left(streams: number): number {
    let sum = streams - this.#open
    for (const [channel, work] of this.#working ?? []) sum += this.#inFlight(channel, work)
    return sum
  }

  /** It is code of an extension, and drains ask for it from a timer: one that fails is not waited for. */
  #inFlight(channel: Channel, work: ChannelWork): number {
    try {
      const { inFlight } = work
      if (inFlight >= 0) return inFlight
      throw new RangeError(`work.inFlight: expected a number of 0 or more, got ${inFlight}`)
    } catch (error) {
      this.setWork(channel, undefined)
      this.#host.log.error({ err: error, channel: channel.info.name }, 'a drain does not wait for a channel')
      return 0
    }
  }

  /** This end begins to drain the session. */
  goAway(): void {
    for (const work of this.#working?.values() ?? [])
      try {
        work.goAway()
      } catch (error) {
        this.#host.log.error({ err: error }, 'a channel could not be drained')
      }
  }

  /** @internal See {@link Channel.work}. */
  work(channel: Channel): ChannelWork | undefined {
    return this.#working?.get(channel)
  }

  setWork(channel: Channel, work: ChannelWork | undefined): void {
    if (work === undefined || channel.stream.closed) this.#working?.delete(channel)
    else {
      this.#working ??= new Map()
      this.#working.set(channel, work)
    }
  }

  /** @internal See {@link Channel.onClosing}. */
  ending(channel: Channel): (() => void) | undefined {
    return this.#ending?.get(channel)
  }

  /** @internal */
  setEnding(channel: Channel, end: (() => void) | undefined): void {
    if (end === undefined || channel.stream.closed) this.#ending?.delete(channel)
    else {
      this.#ending ??= new Map()
      this.#ending.set(channel, end)
    }
  }

  async openChannel(name: string, options: ChannelOptions = {}): Promise<Channel> {
    const { side, info, generations } = this.#host
    if (this.#closing) throw new RystraError('mux.closed', { side, detail: 'this end closes the session' })
    const id = this.#nextId()
    const { details, signal, datagrams } = options
    const channel: ChannelInfo = { id, name, details: details ?? {}, session: info, side, openedBy: side }
    const lifecycle = this.#begin(channel, generations.current)
    try {
      await lifecycle.admit()
      const stream = await this.#host.open(
        (flow) => ({
          type: 'OpenChannel',
          id,
          name,
          ...(flow === undefined ? {} : { flow }),
          ...(details === undefined ? {} : { details })
        }),
        { signal, datagrams }
      )
      return lifecycle.attach(stream, stream.flow)
    } catch (error) {
      lifecycle.over(error as Error)
      throw error
    }
  }

  #nextId(): string {
    this.#opened += 1
    return `${this.#host.side === 'client' ? 'c' : 's'}.${this.#opened.toString(36)}`
  }

  /**
   * The other end opened a channel: its head has been read.
   *
   * @param flows those of the link that it came on
   */
  accept(raw: RawStream, message: OpenChannel, flows = this.#host.flows): void {
    background(this.#accept(raw, message, flows), this.#host.log, 'a channel was not accepted')
  }

  async #accept(
    raw: RawStream,
    { id, name, details = {}, flow }: OpenChannel,
    flows: DatagramFlows | undefined
  ): Promise<void> {
    const { side, info, generations, clock } = this.#host
    const openedBy = side === 'client' ? 'server' : 'client'
    const channel: ChannelInfo = { id, name, details, session: info, side, openedBy }
    let lifecycle: ChannelLifecycle | undefined
    try {
      const generation = generations.current
      const { channels } = generation.registries
      if (!channels.has(name)) throw new RystraError('channel.unknown', { side, detail: JSON.stringify(name) })
      const handler = channels.get(name)
      lifecycle = this.#begin(channel, generation)
      const reason = handler.refuse?.(channel)
      if (reason !== undefined) throw new RystraError('channel.refused', { side, detail: reason })
      await lifecycle.admit()
      if (raw.closed) throw new RystraError('stream.reset')
      this.#start(handler, lifecycle, raw, flow === undefined ? undefined : flows?.accept(flow))
    } catch (cause) {
      const error = toRystraError(cause)
      this.#host.log.debug({ err: error, channel: name }, 'a channel was refused')
      lifecycle?.over(error)
      refuseStream(raw, error, clock)
    }
  }

  /** Passes a channel that another server has opened on to the other end: within the limit, and without hooks, which were called there. */
  async pass(raw: RawStream, channel: OpenChannel, flows: DatagramFlows | undefined, timeout?: number): Promise<void> {
    const { flow: number, ...head } = channel
    const { clock, log } = this.#host
    let counted = false
    try {
      this.#throwIfFull()
      this.#open += 1
      counted = true
      const flow = number === undefined ? undefined : flows?.accept(number)
      await passChannel(raw, flow, (datagrams) =>
        this.#host.open((own) => ({ ...head, id: this.#nextId(), ...(own === undefined ? {} : { flow: own }) }), {
          datagrams,
          timeout
        })
      )
    } catch (error) {
      log.debug({ err: error, channel: head.name }, 'a channel of another server was refused')
      refuseStream(raw, error, clock)
    } finally {
      if (counted) this.#open -= 1
    }
  }

  #throwIfFull(): void {
    const { limit = MAX_CHANNELS, side } = this.#host
    if (this.#open >= limit) throw new RystraError('channel.limit', { side, detail: `at most ${limit}` })
  }

  #start(handler: ChannelHandler, lifecycle: ChannelLifecycle, raw: RawStream, flow: CountedFlow | undefined): void {
    const channel = lifecycle.attach(new CountedStream(raw, { bytes: readyFrame(flow !== undefined) }), flow)
    try {
      handler.onChannel(channel)
    } catch (error) {
      this.#host.log.error({ err: error, channel: handler.name }, 'the handler of a channel failed')
      channel.close(toRystraError(error))
    }
  }

  /** Counts a channel until it is over. Throws `channel.limit`. */
  #begin(info: ChannelInfo, generation: GenerationRef): ChannelLifecycle {
    const { clock, counted } = this.#host
    this.#throwIfFull()
    this.#open += 1
    const own = info.side === info.openedBy
    if (own) counted?.(1)
    return new ChannelLifecycle(info, generation, clock, this)
  }

  /** @internal One that was counted is over. */
  ended({ side, openedBy }: ChannelInfo): void {
    this.#open -= 1
    if (side === openedBy) this.#host.counted?.(-1)
  }
}
