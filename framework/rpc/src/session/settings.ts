import type { Logger } from '@rystra/model'
import { silentLog } from '@rystra/model'
import type { BodyCodec, Codecs } from '../codec/codec.js'
import { codecsOf } from '../codec/codecs.js'
import { msgpack } from '../codec/msgpack.js'
import type { Metadata } from '../frame/metadata.js'
import { EVENT_CREDIT_BYTES, MAX_CALLS, MAX_MESSAGE_BYTES } from '../limits.js'
import type { CallRecord, Middleware, Step } from '../middleware/middleware.js'

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
  /** Bytes that may wait for a peer that does not read; with more, its session is closed. @default 16777216 */
  readonly maxQueueBytes?: number
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
export interface RpcSettings {
  readonly maxMessageBytes: number
  readonly maxCalls: number
  readonly eventCredit: number
  readonly maxStreams: number
  readonly maxQueueBytes: number
  readonly codec: BodyCodec
  readonly codecs: Codecs
  readonly metadata: Metadata
  readonly inbound: readonly Step[]
  readonly outbound: readonly Step[]
  /** Nothing when no middleware asks for it. */
  readonly onCall: ((record: CallRecord) => void) | undefined
  readonly log: Logger
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
  return {
    maxMessageBytes: options.maxMessageBytes ?? MAX_MESSAGE_BYTES,
    maxCalls: options.maxCalls ?? MAX_CALLS,
    eventCredit: options.eventCredit ?? EVENT_CREDIT_BYTES,
    maxStreams: options.maxStreams ?? 1024,
    maxQueueBytes: options.maxQueueBytes ?? 4 * MAX_MESSAGE_BYTES,
    codec,
    codecs: codecsOf(own),
    metadata: options.metadata ?? {},
    inbound: middleware.flatMap((each) => each.inbound?.bind(each) ?? []),
    outbound: middleware.flatMap((each) => each.outbound?.bind(each) ?? []),
    onCall: observers.length > 0 ? onCall : undefined,
    log
  }
}
