import type { ProxySpec, WireError } from '@rystra/model'
import type {
  CertificateInfo,
  EndStats,
  ExtensionInfo,
  ListenerHandle,
  ListenerStats,
  LogLevel,
  MetricSnapshot,
  ProxyInfo,
  RuntimeEvent,
  SessionHandle,
  SessionStats,
  StreamHandle,
  StreamStats,
  TrafficStats
} from '@rystra/plugin'
import type { Listening } from '@rystra/server'
import type { Web } from '../run/quick-kinds.js'
import type { ToSuccessor } from '../run/successor.js'
import type { PassedSocket } from '../service/successor-environment.js'

/** Handles as values, as they were when they were asked for. */
export interface Snapshot {
  readonly sessions: readonly { readonly info: SessionHandle['info']; readonly stats: SessionStats }[]
  readonly proxies: readonly {
    readonly id: string
    readonly info: Omit<ProxyInfo, 'error'> & { readonly error?: WireError }
    readonly stats: TrafficStats
  }[]
  readonly streams: readonly { readonly id: string; readonly info: StreamHandle['info']; readonly stats: StreamStats }[]
  readonly listeners: readonly {
    readonly id: string
    readonly info: ListenerHandle['info']
    readonly stats: ListenerStats
  }[]
  readonly extensions: readonly ExtensionInfo[]
  readonly certificates: readonly CertificateInfo[]
  readonly stats: EndStats
  /** Counters and gauges that its extensions make. */
  readonly metrics: readonly MetricSnapshot[]
  readonly revision: string
  readonly config: object
  readonly logLevel: LogLevel | undefined
}

/** What a member can be asked for, and with what. */
export interface Requests {
  readonly snapshot: Record<never, never>
  readonly plan: { readonly config?: object | undefined }
  readonly reload: { readonly config?: object | undefined; readonly revision?: string | undefined }
  readonly drain: {
    readonly timeout?: number | undefined
    readonly alternatives?: readonly { host: string; port: number }[] | undefined
  }
  readonly logLevel: { readonly level: LogLevel }
  /** Answers when another process has taken its place. */
  readonly upgrade: { readonly timeout?: number | undefined }
  /** Whether events of streams are wanted, which are many. */
  readonly streams: { readonly wanted: boolean }
  readonly explain: { readonly target: string; readonly probe?: boolean | undefined }
  /** Answers with the id of the proxy. */
  readonly addProxy: { readonly spec: ProxySpec; readonly session: string; readonly by?: string | undefined }
  readonly removeProxy: { readonly id: string }
  /** Ends a session, a proxy or a stream. */
  readonly end: { readonly what: 'session' | 'proxy' | 'stream'; readonly id: string; readonly error?: WireError }
  /** Ends the process after its streams are over. */
  readonly stop: { readonly drain?: number | undefined }
}

/** What a member says of itself once it serves. */
export interface Ready {
  readonly listening: readonly Listening[]
  /** Where it takes web visitors, without a configuration. */
  readonly web?: Web
}

/** From a member that is to be replaced: its listening sockets, one with each message, and what the other process is to do. */
export type SuccessorRequest =
  | { readonly successor: 'socket' }
  | { readonly successor: 'start'; readonly timeout: number; readonly sockets: readonly PassedSocket[] }
  | { readonly successor: 'take' }
  | { readonly successor: 'left'; readonly published: readonly string[] }

/** Of the process that takes over: it has done so, or why not. */
export type SuccessorAnswer = { readonly pid: number } | { readonly error: WireError }

/** All that a parent sends to a member. */
export type FromParent = ToMember | ToSuccessor | { readonly successor: SuccessorAnswer }

/** From the parent to a member: a request. */
export type ToMember = {
  readonly [Name in keyof Requests]: { readonly id: number; readonly ask: Name; readonly args: Requests[Name] }
}[keyof Requests]

/** From a member to the parent. */
export type FromMember =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: WireError }
  | {
      readonly event: RuntimeEvent
      /** Events of streams before this one that were too many to be passed on. */
      readonly lost?: number
    }
  | { readonly ready: Ready }
  /** Of a process that takes over: it accepts. */
  | { readonly serves: true }
  | SuccessorRequest
  | { readonly failed: WireError }
