import type { ProxySpec, SessionInfo, StreamInfo } from '@rystra/model'
import type { ListenerInfo } from './handles.js'
import type { CloseStreamContext, UnregisterProxyContext } from './hooks.js'
import type { ReloadReport, UpgradeReport } from './control.js'

/** An error as an event tells it. */
export interface EventError {
  readonly code: string
  /** For people: with the side and the detail. */
  readonly message: string
  readonly retryable: boolean
}

/** What events about certificates have in common. */
export interface CertificateEvent {
  readonly host: string
  /** Name of the source. */
  readonly source: string
}

/** What happened, by its type. */
export interface RuntimeEventFields {
  'listener.opened': { readonly listener: ListenerInfo }
  'listener.closed': { readonly listener: ListenerInfo }
  'session.opened': { readonly session: SessionInfo }
  'session.closed': { readonly session: SessionInfo; readonly error?: EventError }
  'proxy.published': {
    readonly id: string
    readonly spec: ProxySpec
    readonly address: string
    readonly session?: SessionInfo
  }
  /** It has another spec now, and was reachable all the time. */
  'proxy.changed': RuntimeEventFields['proxy.published']
  'proxy.gone': RuntimeEventFields['proxy.published'] & {
    /** Known on a server only. */
    readonly reason?: UnregisterProxyContext['reason']
    readonly error?: EventError
  }
  refused: {
    readonly what: 'session' | 'proxy' | 'stream' | 'forward'
    /** Address of the peer or visitor, or name of the proxy. */
    readonly subject: string
    readonly error: EventError
    readonly session?: SessionInfo
    readonly proxy?: ProxySpec
    /** Refusals before this one that made no event, because there were too many in a second. */
    readonly more?: number
  }
  'reload.done': { readonly report: ReloadReport }
  'reload.failed': { readonly error: EventError }
  /** The process `pid` has taken over the listening sockets; this one drains and ends. */
  'upgrade.done': { readonly report: UpgradeReport }
  'upgrade.failed': { readonly error: EventError }
  'drain.started': { readonly timeout: number; readonly streams: number }
  'drain.done': { readonly streams: number }
  'log.level': { readonly level: string }
  /** A certificate of a host was ordered, and is in use. */
  'certificate.issued': CertificateEvent & { readonly expires: number; readonly renewed: boolean }
  /** An order failed. The certificate from before stays in use. */
  'certificate.failed': CertificateEvent & { readonly error: EventError; readonly retryAt: number }
  /** The certificate in use ends soon, and was not renewed. Once a day. */
  'certificate.expiring': CertificateEvent & { readonly expires: number; readonly days: number }
  /** Only for subscribers that ask for streams; never kept. */
  'stream.opened': { readonly stream: StreamInfo }
  'stream.closed': { readonly stream: CloseStreamContext }
}

/** The type of an event. */
export type RuntimeEventType = keyof RuntimeEventFields

/** Events that extensions report. */
export type ReportedEventType = Extract<RuntimeEventType, `certificate.${string}`>

/** Something that happened at one end. */
export type RuntimeEvent = {
  readonly [Type in RuntimeEventType]: {
    readonly type: Type
    /** 1 for the first. Those of streams have the number of the last other event. */
    readonly sequence: number
    /** Milliseconds since the epoch. */
    readonly time: number
    /** On a server of a cluster, or of several processes: its name. */
    readonly member?: string
  } & RuntimeEventFields[Type]
}[RuntimeEventType]

/** What a subscriber wants to hear. */
export interface SubscribeOptions {
  /** `stream.opened` and `stream.closed` too: thousands in a second, at times. @default false */
  readonly streams?: boolean
}

/**
 * What happens at one end. The last 1024 events are kept, so that a reader that lost its connection can go on behind the
 * last one that it has seen. A snapshot and its events fit together without a gap: read {@link sequence}, take the
 * snapshot, then ask for what came {@link since}.
 */
export interface RuntimeEvents {
  /** Random, another one for each run: numbers of one run mean nothing in another. */
  readonly run: string
  /** The number of the last event; 0 before the first. */
  readonly sequence: number
  /** What came behind that number. `undefined`: gone, or not of this run; take a new snapshot. */
  since(sequence: number): readonly RuntimeEvent[] | undefined
  /**
   * Called with each event, in the turn in which it happens: must not block. What it throws is logged, and ends nothing.
   * Returns what ends it.
   */
  subscribe(listener: (event: RuntimeEvent) => void, options?: SubscribeOptions): () => void
  /** For extensions: records what happened to a thing of theirs. */
  report<Type extends ReportedEventType>(type: Type, fields: RuntimeEventFields[Type]): void
}
