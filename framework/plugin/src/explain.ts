import type { Address, ProxySpec, Side, StreamInfo } from '@rystra/model'
import type { Deny } from './deny.js'

/** What a visitor asks for: `https://app.example.org/api`, `db.example.org:5432`. */
export interface VisitTarget {
  /** `http`, `https`, `tcp` or `udp`; absent when only a host and a port were given. */
  readonly scheme?: string
  /** In lower case and ASCII, without brackets. */
  readonly host: string
  /** That of the scheme, unless another was given; absent for a host alone. */
  readonly port?: number
  /** `/` where none was given. Without query. */
  readonly path: string
}

/** An address at which visitors of a kind connect. */
export interface VisitListener extends Address {
  readonly scheme: 'http' | 'https'
  /** It is that of a proxy in front of this server, which forwards to it. @default false */
  readonly forwarded?: boolean
}

/** The entry of a table of hosts that a visitor comes to. */
export interface VisitRoute {
  /** The host or wildcard as it was published. */
  readonly host: string
  readonly path: string
}

/** Server: how a kind routes its visitors by host, for `Runtime.explain`. */
export interface VisitRouting {
  /** Where its visitors connect, ports 0 resolved. */
  listeners(): readonly VisitListener[]
  /** The entry for a host and a path, as a visitor would get it. */
  find(host: string, path: string): VisitRoute | undefined
  /** The kind that takes visitors of this host over from this one, since TLS ends here. */
  handsOver?(host: string): string | undefined
  /** The hosts and the path of a spec, published or not. */
  claimed(spec: ProxySpec): { readonly hosts: readonly string[]; readonly path: string }
}

/** Hooks that a {@link VisitCheck} can answer for. */
export type CheckedHook = 'onOpenStream' | 'onRequest'

/** What the taps of one extension would answer about a visitor. `registries.visitChecks` */
export interface VisitCheck {
  /** That of the instance: `context.name`. */
  readonly name: string
  /** What the tap would answer. Counts nothing and changes nothing. */
  check(visit: StreamInfo, hook: CheckedHook): Deny | undefined
}

/** The way of a visitor, in its order. `dns` is looked up by the command that asks. */
export type ExplainStage = 'dns' | 'listener' | 'route' | 'proxy' | 'client' | 'taps' | 'service'

/** What was found at one stage. `warn`: visitors may get through, or some of them. `skip`: it was not looked at. */
export interface ExplainStep {
  readonly stage: ExplainStage
  readonly outcome: 'ok' | 'warn' | 'fail' | 'skip'
  /** One sentence, for people. */
  readonly text: string
  /** What to do about it. */
  readonly hint?: string
}

/** One tap in the way of a visitor. */
export interface ExplainedTap {
  readonly hook: string
  readonly extension: string
  readonly stage: number
  readonly calls: number
  readonly errors: number
  /** What it would answer. `unknown`: its extension cannot say, or no address of a visitor was given. */
  readonly answer: 'passes' | 'refuses' | 'unknown'
  readonly reason?: string
  /** Seconds after which it would not refuse. */
  readonly retryAfter?: number
}

/** A refusal of the proxy that has happened. */
export interface PastRefusal {
  /** Milliseconds since the epoch. */
  readonly time: number
  /** Address of the visitor. */
  readonly subject: string
  readonly code: string
  readonly message: string
}

/** Why a visitor is served, or is not. */
export interface Explanation {
  readonly side: Side
  readonly target: VisitTarget
  /** No step failed. */
  readonly reaches: boolean
  readonly steps: readonly ExplainStep[]
  /** The proxies that visitors come to: several where they are a group. */
  readonly proxies: readonly { readonly id: string; readonly name: string; readonly kind: string }[]
  /** In the order in which they are called. */
  readonly taps: readonly ExplainedTap[]
  /** The last ones, the newest first. */
  readonly refusals: readonly PastRefusal[]
}

/** How {@link Runtime.explain} looks. */
export interface ExplainOptions {
  /** Address of the visitor. Without it taps are listed, and not asked. */
  readonly from?: string
  /** Whether a connection to the service is opened. @default false */
  readonly probe?: boolean
}
