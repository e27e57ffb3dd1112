import type { ProxySpec } from '@rystra/model'
import type { ProxyInfo, ProxyState } from '@rystra/plugin'
import type { PublishedHere } from './events.js'
import type { StreamHandler } from './stream-handler.js'

/** What the server says of a proxy that it adds. */
export interface Pushed {
  /** Of its PushProxy. */
  readonly request: number
  /** Which administrator; not verified. */
  readonly by: string | undefined
  /** The session of that server: no other one has it. */
  readonly session: object
}

/** Where a proxy comes from. */
export interface Origin {
  /** Name of the entry: a range of ports is several proxies. */
  readonly entry: string
  /** From the configuration, which may come to have it no longer. */
  readonly configured: boolean
  /** The service, if it is within this process. */
  readonly handler: StreamHandler | undefined
  /** The server has added it, and has it forgotten with the session. @default it has not */
  readonly pushed?: Pushed | undefined
  /** In milliseconds since the epoch. @default its `expiresIn` from now on */
  readonly expiresAt?: number | undefined
}

/** Where a registration on one session stands. */
export type Standing =
  /** Not asked for, or the server took it back for good. */
  | { readonly at: 'idle' }
  | { readonly at: 'requested' }
  | { readonly at: 'published'; readonly proxy: PublishedHere }
  /** Refused for now: asked again after a while. */
  | { readonly at: 'waiting'; readonly cancel: () => void }
  | { readonly at: 'refused' }

/** A change of a published proxy that no server has made yet. */
export interface Change {
  readonly spec: ProxySpec
  readonly origin: Origin
  /** Refused for now: asked again after a while. */
  cancel: (() => void) | undefined
}

export const idle: Standing = { at: 'idle' }

/** In the words of `ProxyInfo`. */
export const states: Readonly<Record<Standing['at'], ProxyState>> = {
  idle: 'idle',
  requested: 'publishing',
  published: 'published',
  waiting: 'waiting',
  refused: 'refused'
}

/** Of several registrations of one proxy, the one that says most of it comes first. */
export const precedence: readonly Standing['at'][] = ['published', 'requested', 'waiting', 'refused', 'idle']

/** In the words of `ProxyInfo`. */
export const originInfo = ({ configured, pushed }: Origin): Pick<ProxyInfo, 'origin' | 'by'> => {
  if (pushed === undefined) return { origin: configured ? 'configuration' : 'program' }
  return { origin: 'server', ...(pushed.by === undefined ? {} : { by: pushed.by }) }
}

/** When a proxy expires, in milliseconds since the epoch, if it does. */
export const expiryOf = (spec: ProxySpec, { expiresAt }: Origin, now: number): number | undefined => {
  const expiresIn = spec['expiresIn'] as number | undefined
  return expiresAt ?? (expiresIn === undefined ? undefined : now + expiresIn)
}
