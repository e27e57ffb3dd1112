import type { RawStream } from '@rystra/bytes'
import { type Logger, RystraError, type SessionInfo, type Side, toRystraError } from '@rystra/model'
import type {
  Channel,
  ChannelDatagrams,
  ChannelHandler,
  ChannelInfo,
  ChannelOpener,
  ChannelOptions,
  Clock,
  GenerationRef,
  Generations
} from '@rystra/plugin'
import { encode, type OpenChannel, streamReadyFrame } from '@rystra/protocol'
import { ChannelStream } from './channel-stream.js'
import type { CountedFlow, DatagramFlows } from './datagram-flows.js'
import { refuseStream } from './refuse-stream.js'

/** Channels of one session at once, in both directions, unless something else is configured. */
export const MAX_CHANNELS = 4096

/** What {@link Channels} of a session need. */
export interface ChannelsHost {
  readonly info: SessionInfo
  readonly side: Side
  readonly generations: Generations
  readonly clock: Clock
  readonly log: Logger
  readonly flows: DatagramFlows | undefined
  /** @default {@link MAX_CHANNELS} */
  readonly limit?: number
  openRaw(signal?: AbortSignal): Promise<RawStream>
}

/** Flows of channels have the highest bit: those of visitors never get there. */
const FIRST_FLOW = 0x8000_0000

/** The channels of one session, opened by either end. They are no visitors' streams and have a limit of their own. */
export class Channels implements ChannelOpener {
  readonly #host: ChannelsHost
  #open = 0
  #opened = 0
  #flow: number

  constructor(host: ChannelsHost) {
    this.#host = host
    this.#flow = FIRST_FLOW + (host.side === 'client' ? 1 : 0)
  }

  /** Channels that are open or being opened. */
  get size(): number {
    return this.#open
  }

  /** Whether this end has a handler for any channel: otherwise the other end need not open streams for them. */
  get handled(): boolean {
    return this.#host.generations.current.registries.channels.list().length > 0
  }

  async openChannel(name: string, options: ChannelOptions = {}): Promise<Channel> {
    const { side, info, flows, generations } = this.#host
    this.#opened += 1
    const id = `${side === 'client' ? 'c' : 's'}.${this.#opened.toString(36)}`
    const { details = {}, signal } = options
    const channel: ChannelInfo = { id, name, details, session: info, side, openedBy: side }
    const life = this.#begin(channel, generations.current)
    try {
      await life.admit()
      const raw = await this.#host.openRaw(signal)
      const flow = options.datagrams === true && flows !== undefined ? this.#nextFlow() : undefined
      const head = encode({
        type: 'OpenChannel',
        id,
        name,
        ...(flow === undefined ? {} : { flow }),
        ...(options.details === undefined ? {} : { details })
      } as OpenChannel)
      raw.write(head as Buffer, 0, head.length, true)
      return life.attach(raw, flow === undefined ? undefined : flows?.open(flow))
    } catch (error) {
      life.over(error as Error)
      throw error
    }
  }

  #nextFlow(): number {
    const flow = this.#flow
    this.#flow = flow + 2 > 0xffff_ffff ? FIRST_FLOW + (flow % 2) : flow + 2
    return flow
  }

  /** The other end opened a channel: its head has been read. */
  async accept(raw: RawStream, { id, name, details = {}, flow }: OpenChannel): Promise<void> {
    const { side, info, flows, generations, clock } = this.#host
    const openedBy = side === 'client' ? 'server' : 'client'
    const channel: ChannelInfo = { id, name, details, session: info, side, openedBy }
    let life: Life | undefined
    try {
      const generation = generations.current
      const { channels } = generation.registries
      if (!channels.has(name)) throw new RystraError('channel.unknown', { side, detail: JSON.stringify(name) })
      const handler = channels.get(name)
      life = this.#begin(channel, generation)
      const reason = handler.refuse?.(channel)
      if (reason !== undefined) throw new RystraError('channel.refused', { side, detail: reason })
      await life.admit()
      if (raw.closed) throw new RystraError('stream.reset')
      this.#start(handler, life, raw, flow === undefined ? undefined : flows?.open(flow))
    } catch (cause) {
      const error = toRystraError(cause)
      this.#host.log.info({ err: error, channel: name }, 'a channel was refused')
      life?.over(error)
      refuseStream(raw, error, clock)
    }
  }

  #start(handler: ChannelHandler, life: Life, raw: RawStream, flow: CountedFlow | undefined): void {
    const ready = flow === undefined ? streamReadyFrame : encode({ type: 'StreamReady', flow: true })
    raw.write(ready as Buffer, 0, ready.length, true)
    const channel = life.attach(raw, flow, true)
    try {
      handler.onChannel(channel)
    } catch (error) {
      this.#host.log.error({ err: error, channel: handler.name }, 'the handler of a channel failed')
      channel.close(toRystraError(error))
    }
  }

  /** Counts a channel until it is over. Throws `channel.limit`. */
  #begin(info: ChannelInfo, generation: GenerationRef): Life {
    const { limit = MAX_CHANNELS, side, clock } = this.#host
    if (this.#open >= limit) throw new RystraError('channel.limit', { side, detail: `at most ${limit}` })
    this.#open += 1
    return new Life(info, generation, clock, () => {
      this.#open -= 1
    })
  }
}

/** One channel at one end, from before its first byte until both hooks have been called. */
class Life {
  readonly #info: ChannelInfo
  readonly #generation: GenerationRef
  readonly #release: () => void
  readonly #clock: Clock
  readonly #since: number
  readonly #done: () => void
  #stream: ChannelStream | undefined
  #flow: CountedFlow | undefined
  #over = false

  constructor(info: ChannelInfo, generation: GenerationRef, clock: Clock, done: () => void) {
    this.#info = info
    this.#generation = generation
    this.#release = generation.hold()
    this.#clock = clock
    this.#since = clock.now()
    this.#done = done
  }

  async admit(): Promise<void> {
    const denial = await this.#generation.calls.openChannel(this.#info)
    if (denial === undefined) return
    throw new RystraError('channel.refused', { side: this.#info.side, detail: denial.deny })
  }

  attach(raw: RawStream, flow: CountedFlow | undefined, answered = false): Channel {
    let accept = (): void => {}
    const accepted = answered ? Promise.resolve() : new Promise<void>((resolve) => (accept = resolve))
    let datagrams: ChannelDatagrams | undefined = answered ? flow : undefined
    const stream = new ChannelStream(
      raw,
      {
        onAccepted: (withFlow) => {
          if (withFlow) datagrams = flow
          else flow?.close()
          accept()
        },
        onOver: (error) => this.over(error)
      },
      this.#info.side === 'client' ? 'server' : 'client',
      answered
    )
    this.#stream = stream
    this.#flow = flow
    return {
      info: this.#info,
      stream,
      accepted,
      get datagrams() {
        return datagrams
      },
      close: (error = new RystraError('stream.reset')) => stream.fail(error)
    }
  }

  /** Tells the hook, once. */
  over(error: Error | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#flow?.close()
    this.#generation.calls.closeChannel({
      ...this.#info,
      bytesSent: (this.#stream?.sent ?? 0) + (this.#flow?.sent ?? 0),
      bytesReceived: (this.#stream?.received ?? 0) + (this.#flow?.received ?? 0),
      duration: this.#clock.now() - this.#since,
      ...(error === undefined ? {} : { error: toRystraError(error, 'stream.reset') })
    })
    this.#release()
    this.#done()
  }
}
