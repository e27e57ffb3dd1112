import { type Detached, JoinedPump, type PumpDone, type RawStream } from '@rystra/bytes'
import { RystraError, type Side, toRystraError } from '@rystra/model'
import type { Clock, Direction, JoinedOpened, JoinedOpening } from '@rystra/plugin'
import { errorFrom, FIRST_FRAME_LIMIT, FrameDecoder, type Message } from '@rystra/protocol'
import { READY_TIMEOUT_MS } from './outgoing-stream.js'
import { readyFrame } from './ready-frame.js'
import type { StreamLifecycle } from './stream-lifecycle.js'

/** How a stream is opened that its link relays. */
export interface JoinedRelayOptions {
  /** The end that answers. */
  readonly side: Side
  readonly head: Buffer
  readonly clock: Clock
  /** Called once, when the service was reached. */
  ready(): void
  /** Called once, when the other end has refused it, or was lost before it has answered. */
  refused(error: RystraError): void
}

/** The answer to a stream that this end has opened, and whose bytes do not pass JavaScript. */
export class JoinedRelay implements JoinedOpening {
  readonly head: Buffer
  readonly answer = readyFrame()
  readonly #options: JoinedRelayOptions
  readonly #cancel: () => void
  #awaited = true
  #pump: JoinedPump | undefined

  constructor(options: JoinedRelayOptions) {
    this.#options = options
    this.head = options.head
    const { side, clock } = options
    this.#cancel = clock.after(READY_TIMEOUT_MS, () => this.#refuse(new RystraError('stream.timeout', { side })))
  }

  /** It was opened. @param writes which way bytes go that are written into the stream */
  start({ stream, moved }: JoinedOpened, socket: RawStream, writes: Direction, done: PumpDone): JoinedPump {
    const pump = new JoinedPump(stream, socket, moved, writes === 'toService', (aToB, bToA, error) => {
      // An error costs more than the rest of an end.
      if (this.#awaited && pump.carrierFailed) this.#lost(toRystraError(error ?? new RystraError('stream.reset')))
      this.stop()
      done(aToB, bToA, error)
    })
    this.#pump = pump
    return pump
  }

  /** There will be no answer. */
  stop(): void {
    this.#awaited = false
    this.#cancel()
  }

  onReady(): void {
    if (!this.#awaited) return
    this.stop()
    this.#options.ready()
  }

  onAnswer(bytes: Buffer): number {
    if (!this.#awaited) return 0
    const decoder = new FrameDecoder(FIRST_FRAME_LIMIT)
    let message: Message | undefined
    try {
      decoder.push(bytes, 0, bytes.length)
      message = decoder.next()
    } catch (error) {
      this.#refuse(toRystraError(error, 'stream.reset', { side: this.#options.side }))
      return 0
    }
    if (message === undefined) return 0
    if (message.type === 'StreamReady') {
      this.onReady()
      return bytes.length - decoder.rest().length
    }
    const { side } = this.#options
    const unexpected = (detail: string): RystraError => new RystraError('protocol.unexpected', { side, detail })
    this.#refuse(message.type === 'Error' ? errorFrom(message, side) : unexpected(message.type))
    return 0
  }

  onEnd(): void {
    if (!this.#awaited) return
    const { side } = this.#options
    this.#refuse(new RystraError('stream.reset', { side, detail: 'it ended before its head was complete' }))
  }

  #lost(error: RystraError): void {
    this.stop()
    this.#options.refused(error)
  }

  #refuse(error: RystraError): void {
    if (!this.#awaited) return
    this.#lost(error)
    this.#pump?.reset(error)
  }
}

/**
 * Opens a stream for a visitor that its link joins with the visitor's connection, where nothing has to see the bytes. `false`: it
 * could not, and the connection is as it was. Hooks have been asked, or need not be.
 */
export const openJoined = (
  stream: StreamLifecycle,
  visitor: RawStream,
  head: Buffer,
  open: (socket: Detached, opening: JoinedOpening) => JoinedOpened | undefined,
  clock: Clock
): boolean => {
  const socket = stream.unseen ? visitor.detach?.() : undefined
  if (socket === undefined) return false
  const relay = new JoinedRelay({
    side: stream.info.side === 'server' ? 'client' : 'server',
    head,
    clock,
    ready: () => stream.reached(),
    refused: (error) => stream.refused(error)
  })
  const opened = socket.pending.length > 0 ? undefined : open(socket, relay)
  if (opened === undefined) {
    relay.stop()
    socket.attach()
    return false
  }
  stream.joined((done) => relay.start(opened, visitor, 'toService', done))
  return true
}

/**
 * Joins a stream that the other end has opened with the connection to its service, likewise. The stream is accepted by `head`.
 *
 * @param done called when both are closed
 */
export const acceptJoined = (
  stream: StreamLifecycle,
  raw: RawStream,
  service: RawStream,
  head: Buffer,
  done: () => void
): boolean => {
  const { offload } = raw
  const socket = stream.unseen && offload !== undefined ? service.detach?.() : undefined
  if (socket === undefined) return false
  const moved = socket.pending.length > 0 ? undefined : offload?.(socket, head)
  if (moved === undefined) {
    socket.attach()
    return false
  }
  stream.reached()
  stream.joined((over) => {
    return new JoinedPump(raw, service, moved, false, (aToB, bToA, error) => {
      over(aToB, bToA, error)
      done()
    })
  })
  return true
}
