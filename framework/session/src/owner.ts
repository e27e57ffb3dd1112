import type { RawStream } from '@rystra/bytes'
import type { SessionInfo, VisitorInfo } from '@rystra/model'
import type { Details } from '@rystra/plugin'
import type { Message, OpenStream } from '@rystra/protocol'
import type { OutgoingStream, OpenOptions } from './outgoing-stream.js'
import type { StreamLifecycle } from './stream-lifecycle.js'

/** What is said at the head of a stream. */
export interface StreamHead {
  /** Unique at the end that opens it. */
  readonly id: string
  /** Name of the proxy. */
  readonly proxy: string
  readonly visitor: VisitorInfo
  readonly details?: Details | undefined
  /** `traceparent` of the trace that it belongs to. */
  readonly trace?: string | undefined
  /** It carries many visitors; for an owner that is another server. @default false */
  readonly carrier?: boolean | undefined
}

/** What serves a proxy: a session of this process. Between the two, so that another server or a worker can be it. */
export interface StreamOwner {
  readonly info: SessionInfo
  /** Within the limits of the session. Rejects with `stream.limit`, `stream.timeout` or `mux.closed`. */
  open(head: StreamHead, options?: OpenOptions): Promise<OutgoingStream>
  /**
   * Opens a stream that is joined with a visitor's connection, see `openJoined`; `false` where that cannot be, or not now. Absent
   * where it never can.
   */
  openJoined?(stream: StreamLifecycle, head: StreamHead, visitor: RawStream): boolean
  /** Whether the client answers within `ms` milliseconds. */
  probe(ms: number): Promise<boolean>
}

/** The addresses of a visitor, as the messages of the protocol have them. */
export const addressFields = ({ host, port, to }: VisitorInfo): Pick<OpenStream, 'visitor' | 'to'> => ({
  visitor: [host, port],
  to: [to.host, to.port]
})

/** The visitor that a message of the protocol describes. */
export const visitorIn = ({ visitor, to }: Pick<OpenStream, 'visitor' | 'to'>): VisitorInfo => ({
  host: visitor[0],
  port: visitor[1],
  to: { host: to[0], port: to[1] }
})

/** The message at the head of a stream that the server opens. */
export const openStreamMessage = (
  { id, proxy, visitor, details, trace }: StreamHead,
  flow: number | undefined
): Message => ({
  type: 'OpenStream',
  id,
  proxy,
  visitor: [visitor.host, visitor.port],
  to: [visitor.to.host, visitor.to.port],
  ...(flow === undefined ? {} : { flow }),
  ...(details === undefined ? {} : { details }),
  ...(trace === undefined ? {} : { trace })
})
