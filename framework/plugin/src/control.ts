import type { Address, ProxySpec } from '@rystra/model'
import type { ProxyHandle } from './handles.js'
import type { ReloadContext } from './hooks.js'

/** Levels of the log, the most talkative first. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const

/** A level of the log. */
export type LogLevel = (typeof logLevels)[number]

/** What becomes of one thing. `restart`: it changes only with a new process. */
export type PlanAction = 'add' | 'change' | 'remove' | 'keep' | 'restart'

/** What sort of thing a {@link PlanItem} is about. */
export type PlanSubject = 'listener' | 'extension' | 'proxy' | 'forward' | 'right' | 'limit' | 'setting' | 'session'

/** What a reload does to one thing. */
export interface PlanItem {
  readonly action: PlanAction
  readonly subject: PlanSubject
  /** `tls 0.0.0.0:7000`, `hook-acl`, `server.limits.sessions`, the name of a proxy. */
  readonly name: string
  /** Why, for people: the fields that differ, or what is refused. Holds no values of secrets. */
  readonly detail?: string
  /** Ids of open streams that end with it, after their drain time. At most 100 are named. */
  readonly cuts?: readonly string[]
  /** How many streams end with it. @default 0 */
  readonly streams?: number
  /** How many sessions end with it. @default 0 */
  readonly sessions?: number
}

/** Why a configuration was not taken. */
export interface PlanProblem {
  /** Path in the configuration: `server.listen[0].port`; empty when it is about the whole. */
  readonly path: string
  readonly code: string
  /** For people: the value and what was expected. */
  readonly reason: string
}

/** What a reload would do. */
export interface Plan {
  /** Of the configuration in force. */
  readonly revision: string
  /** Everything that would change; what is kept too. */
  readonly items: readonly PlanItem[]
  /** Open streams that it would end. */
  readonly streams: number
  /** Sessions that it would end. */
  readonly sessions: number
  /** Whether it would change nothing. */
  readonly same: boolean
  /** Why it would fail; empty when it would not. */
  readonly problems: readonly PlanProblem[]
  /** Extensions whose file has changed since they were loaded: their new code needs a new process. */
  readonly codeChanged: readonly string[]
}

/** What a reload did. `added`, `kept` and `removed` are names of extensions. */
export interface ReloadReport extends ReloadContext {
  /** Of the configuration that is in force now. */
  readonly revision: string
  /** What changed; nothing that was kept. */
  readonly items: readonly PlanItem[]
  /** Extensions whose file has changed since they were loaded: their new code needs a new process. */
  readonly codeChanged: readonly string[]
  /** Milliseconds. */
  readonly duration: number
}

/** How {@link RuntimeControl.reload} works. */
export interface ReloadOptions {
  /** Only when this is the revision in force; otherwise it rejects with `control.conflict`. @default any */
  readonly revision?: string
}

/** How {@link RuntimeControl.addProxy} adds. */
export interface AddProxyOptions {
  /**
   * Whether it survives reconnects of the client and restarts of both ends. On a client `control.unavailable`: its
   * proxies are kept in its configuration. @default false
   */
  readonly persist?: boolean
  /** Which administrator adds it, for people; at most 128 printable characters. @default none */
  readonly by?: string
}

/** How {@link RuntimeControl.drain} drains. */
export interface DrainOptions {
  /** Milliseconds that open streams are given. @default `drain` of the configuration */
  readonly timeout?: number
  /** Whether the end stops afterwards, as by SIGTERM. @default false */
  readonly stop?: boolean
  /**
   * Server: others to which its clients may go, the preferred ones first; 16 at most. Given, even if empty, proxies stay published
   * until their client has a session elsewhere or the time is over, so that no visitor is refused. A client goes only to
   * servers that its own configuration trusts. @default proxies are taken back at once
   */
  readonly alternatives?: readonly Address[]
}

/** How {@link RuntimeControl.upgrade} replaces the process. */
export interface UpgradeOptions {
  /** Milliseconds that the new process has to start. @default 60000 */
  readonly timeout?: number
}

/** What an upgrade did. */
export interface UpgradeReport {
  /** The process that serves from now on. */
  readonly pid: number
  /** Listening sockets that it has got. */
  readonly sockets: number
  /** Addresses of proxies whose UDP port it binds anew: datagrams of the moment between are lost. */
  readonly rebound: readonly string[]
  /** For a server of several members: the process of each. `pid` is that of their parent, which goes on. @default absent */
  readonly members?: readonly { readonly member: string; readonly pid: number }[]
}

/**
 * Changes one end while it runs. To end a session, a stream or a proxy: `close` of its handle. Calls are done one at a
 * time, in their order. What an end cannot do rejects with `control.unavailable`.
 */
export interface RuntimeControl {
  /** Names the configuration in force: another one after each reload that changed something. */
  readonly revision: string
  /** The configuration in force, every default filled in, without secrets. */
  config(): object
  /**
   * What {@link reload} would do. Never changes anything; problems of the configuration are in the answer.
   * Without a configuration the source is read again: without one, `control.unavailable`.
   */
  plan(config?: object): Promise<Plan>
  /**
   * Puts a configuration in place of the one in force: checked as a whole first. Rejects with what is wrong; everything
   * stays as it was then. Without a configuration the source is read again: without one, `control.unavailable`.
   */
  reload(config?: object, options?: ReloadOptions): Promise<ReloadReport>
  /** Takes no more sessions and visitors, and resolves when open streams are over or the time is, to how many were left. */
  drain(options?: DrainOptions): Promise<{ readonly streams: number }>
  /**
   * Starts a process with the same command line, and so with the code and the configuration that are there now, and gives it
   * the listening sockets; this one drains and ends. No connection is refused meanwhile. Resolves when the new one
   * serves. Rejects with `control.upgrade-failed`, and everything stays as it was; with `control.busy` while another
   * one is under way; with `control.unavailable` where there is nothing to hand over, or it cannot be.
   */
  upgrade(options?: UpgradeOptions): Promise<UpgradeReport>
  /** `undefined` when the program that embeds this end keeps it to itself. */
  readonly logLevel: LogLevel | undefined
  /** Throws `control.unavailable`, or `usage.invalid` for an unknown level. */
  setLogLevel(level: LogLevel): void
  /**
   * Publishes a proxy.
   *
   * @param session On a server: the id of the session, or the id of the client, that is to have it; the client decides
   * by its `accept`, and `proxy.not-accepted` says what it does not accept. On a client: left out.
   *
   * Rejects with `control.not-found`, or `proxy.*`.
   */
  addProxy(spec: ProxySpec, session?: string, options?: AddProxyOptions): Promise<ProxyHandle>
  /** Removes one that was added, and forgets it. Streams that are open go on. Rejects with `control.not-found`. */
  removeProxy(id: string): Promise<void>
}
