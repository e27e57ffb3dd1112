import type { Logger } from '@rystra/model'
import { silentLog } from '@rystra/model'
import type { BodyCodec } from '../codec/codec.js'
import { codecsOf } from '../codec/codecs.js'
import { msgpack } from '../codec/msgpack.js'
import type { Metadata } from '../frame/metadata.js'
import { EVENT_CREDIT_BYTES, MAX_CALLS, MAX_MESSAGE_BYTES, OPEN_TIMEOUT_MS } from '../limits.js'
import type { CallRecord, Middleware, Step } from '../middleware/middleware.js'
import type { WireSettings } from './wire-settings.js'

/** What both ends of RPC can be told. */
export interface RpcOptions {
  /** Largest message that is taken, in bytes. @default 4194304 */
  readonly maxMessageBytes?: number
  /** Calls of one peer at once; one more is refused with `rpc.busy`. @default 1024 */
  readonly maxCalls?: number
  /** Bytes of events that a peer may send before listeners are done with earlier ones. @default 1048576 */
  readonly eventCredit?: number
  /** Streams of one peer at once. @default 1024 */
  readonly maxStreams?: number
  /**
   * Bytes that may wait for a peer to read: with more, its calls are refused with `rpc.busy`; with twice as many in small
   * answers, its session is closed. @default four of the largest messages
   */
  readonly maxQueueBytes?: number
  /** Time limit for a peer to begin a session or stream that it opened, in milliseconds. @default 10000 */
  readonly openTimeout?: number
  /** For bodies that are no bytes. @default msgpack */
  readonly codec?: BodyCodec
  /** Further codecs that the other side may use. */
  readonly codecs?: readonly BodyCodec[]
  /** Told to the other side when a connection begins. */
  readonly metadata?: Metadata
  readonly middleware?: readonly Middleware[]
  readonly log?: Logger
}

/** {@link RpcOptions}, complete. */
export interface RpcSettings extends WireSettings {
  readonly inbound: readonly Step[]
  readonly outbound: readonly Step[]
  /** Nothing when no middleware asks for it. */
  readonly onCall: ((record: CallRecord) => void) | undefined
}

export const settingsOf = (options: RpcOptions = {}): RpcSettings => {
  const { middleware = [], codec = msgpack, codecs = [], log = silentLog } = options
  const own = codec.number >= 16 && !codecs.includes(codec) ? [...codecs, codec] : codecs
  const observers = middleware.filter(({ onCall }) => onCall !== undefined)
  const onCall = (record: CallRecord): void => {
    for (const observer of observers) {
      try {
        observer.onCall?.(record)
      } catch (err) {
        log.warn({ err, middleware: observer.name }, 'an observer of calls failed')
      }
    }
  }
  const maxMessageBytes = options.maxMessageBytes ?? MAX_MESSAGE_BYTES
  return {
    maxMessageBytes,
    maxCalls: options.maxCalls ?? MAX_CALLS,
    eventCredit: options.eventCredit ?? EVENT_CREDIT_BYTES,
    maxStreams: options.maxStreams ?? 1024,
    maxQueueBytes: options.maxQueueBytes ?? 4 * maxMessageBytes,
    openTimeout: options.openTimeout ?? OPEN_TIMEOUT_MS,
    codec,
    codecs: codecsOf(own),
    metadata: options.metadata ?? {},
    inbound: middleware.flatMap((each) => each.inbound?.bind(each) ?? []),
    outbound: middleware.flatMap((each) => each.outbound?.bind(each) ?? []),
    onCall: observers.length > 0 ? onCall : undefined,
    log
  }
}
