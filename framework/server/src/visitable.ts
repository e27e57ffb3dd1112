import type { RawStream } from '@rystra/bytes'
import type { Details, Visit } from '@rystra/plugin'
import type { OpenOptions } from '@rystra/session'

/** Milliseconds a member of a group has to reach its service: then another is asked, and the visitor has lost little. */
export const MEMBER_TIMEOUT_MS = 5000

/** Decides on a visit, and answers with the details of its stream. */
export type Admit = (visit: Visit) => Details | Promise<Details>

/** The key under which a proxy accepts visits. */
export const visitKey = (kind: string, name: string): string => `visit ${kind} ${name}`

/** How a stream of a proxy is opened. */
export interface ProxyStreamOptions extends OpenOptions {
  readonly details?: Details | undefined
  /** Another server passes it on: hooks were asked there, and it is told there. */
  readonly forwarded?: boolean | undefined
  /** `traceparent` of a stream that another server passes on. */
  readonly trace?: string | undefined
  /** See `OpenStreamOptions.carrier`. */
  readonly carrier?: boolean | undefined
  /** What it is to be joined with: when that closes before, it is given up. */
  readonly follows?: RawStream | undefined
}
