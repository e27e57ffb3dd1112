import { randomBytes } from 'node:crypto'
import type { Logger, RystraError } from '@rystra/model'
import type {
  Clock,
  EventError,
  ReportedEventType,
  RuntimeEvent,
  RuntimeEventFields,
  RuntimeEvents,
  RuntimeEventType,
  SubscribeOptions
} from '@rystra/plugin'
import { listenerThrew } from './listener-threw.js'

/** Events kept for readers that come back: some minutes of a busy server, in less than a megabyte. */
const KEPT = 1024

/** Refusals that make an event in one second; the others are counted. A flood must not push everything else out. */
const REFUSALS_PER_SECOND = 50

type Listener = (event: RuntimeEvent) => void
type StreamType = 'stream.opened' | 'stream.closed'

/** What happened at one end, numbered, for readers of `Runtime.events`. */
export class EventLog implements RuntimeEvents {
  readonly run = randomBytes(9).toString('base64url')
  readonly #clock: Clock
  readonly #log: Logger
  /** What all events have. */
  readonly #of: { readonly member?: string }
  readonly #ring: RuntimeEvent[] = []
  readonly #listeners = new Set<Listener>()
  readonly #streamListeners = new Set<Listener>()
  /** Called when the first subscriber of streams comes, and when the last one goes. @default not called */
  onStreams: ((wanted: boolean) => void) | undefined
  #last = 0
  #second = 0
  #refusals = 0
  #uncounted = 0

  /** @param member See `RuntimeEvent.member` */
  constructor(clock: Clock, log: Logger, member?: string) {
    this.#clock = clock
    this.#log = log
    this.#of = member === undefined ? {} : { member }
  }

  get sequence(): number {
    return this.#last
  }

  since(sequence: number): readonly RuntimeEvent[] | undefined {
    if (!Number.isInteger(sequence) || sequence < 0 || sequence > this.#last) return undefined
    const missing = this.#last - sequence
    if (missing > this.#ring.length) return undefined
    const first = this.#last % KEPT
    const ordered = this.#ring.length < KEPT ? this.#ring : [...this.#ring.slice(first), ...this.#ring.slice(0, first)]
    return ordered.slice(ordered.length - missing)
  }

  subscribe(listener: Listener, { streams = false }: SubscribeOptions = {}): () => void {
    if (typeof listener !== 'function') throw new TypeError('a subscriber of events is a function')
    // Of its own, so that one function may subscribe twice.
    const own: Listener = (event) => listener(event)
    this.#listeners.add(own)
    if (streams) {
      this.#streamListeners.add(own)
      if (this.#streamListeners.size === 1) this.onStreams?.(true)
    }
    return () => {
      this.#listeners.delete(own)
      if (this.#streamListeners.delete(own) && !this.wantsStreams) this.onStreams?.(false)
    }
  }

  /** Whether a subscriber asks for streams. */
  get wantsStreams(): boolean {
    return this.#streamListeners.size > 0
  }

  emit<Type extends Exclude<RuntimeEventType, StreamType>>(type: Type, fields: RuntimeEventFields[Type]): void {
    this.#last += 1
    const event = {
      type,
      sequence: this.#last,
      time: this.#clock.now(),
      ...this.#of,
      ...fields
    } as unknown as RuntimeEvent
    this.#keep(event)
  }

  /** An event of another log, under a number of this one. */
  pass(event: RuntimeEvent): void {
    const isStream = event.type === 'stream.opened' || event.type === 'stream.closed'
    if (!isStream) this.#last += 1
    const own = { ...event, sequence: this.#last }
    if (isStream) this.#tell(this.#streamListeners, own)
    else this.#keep(own)
  }

  #keep(event: RuntimeEvent): void {
    this.#ring[(this.#last - 1) % KEPT] = event
    this.#tell(this.#listeners, event)
  }

  report<Type extends ReportedEventType>(type: Type, fields: RuntimeEventFields[Type]): void {
    this.emit(type, fields)
  }

  /** A refusal: at most 50 events in a second, the next one says how many there were besides. */
  refused(fields: RuntimeEventFields['refused']): void {
    const second = Math.floor(this.#clock.now() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#refusals = 0
    }
    this.#refusals += 1
    if (this.#refusals > REFUSALS_PER_SECOND) {
      this.#uncounted += 1
      return
    }
    const more = this.#uncounted
    this.#uncounted = 0
    this.emit('refused', more === 0 ? fields : { ...fields, more })
  }

  /** Makes no object unless a subscriber asks for streams. */
  stream<Type extends StreamType>(type: Type, stream: RuntimeEventFields[Type]['stream']): void {
    if (!this.wantsStreams) return
    const event = {
      type,
      sequence: this.#last,
      time: this.#clock.now(),
      ...this.#of,
      stream
    } as unknown as RuntimeEvent
    this.#tell(this.#streamListeners, event)
  }

  #tell(listeners: ReadonlySet<Listener>, event: RuntimeEvent): void {
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (error) {
        listenerThrew(this.#log, error, event.type, 'a subscriber of events threw')
      }
    }
  }
}

/** An error as events tell it. */
export const eventError = ({ code, message, retryable }: RystraError): EventError => ({ code, message, retryable })
