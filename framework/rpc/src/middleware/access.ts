import { pattern } from '@rystra/address'
import { rpcError } from '../error.js'
import type { RpcSession } from '../session/rpc-session.js'
import type { Middleware } from './middleware.js'

/** One rule of {@link access}. What is left out matches everything; `*` stands for any characters. */
export interface AccessRule {
  /** Pattern of the identity. A peer without one has the identity ``. */
  readonly identity?: string
  /** Pattern of the tenant: the right `tenant` of the identity. */
  readonly tenant?: string
  /** Pattern of the name of the request, event or stream. */
  readonly name?: string
  readonly kind?: 'request' | 'event' | 'stream'
  /** Whether it is about calls of peers or of this side. @default 'in' */
  readonly direction?: 'in' | 'out'
  /** Whether it is about clients that call through a server, or about direct ones. @default both */
  readonly relayed?: boolean
  /** @default true */
  readonly allow?: boolean
}

interface Compiled extends Pick<AccessRule, 'kind' | 'relayed'> {
  readonly allow: boolean
  readonly fits: (session: RpcSession, name: string) => boolean
}

const compile = ({ identity = '*', tenant = '*', name = '*', allow = true, ...rest }: AccessRule): Compiled => {
  const [ofIdentity, ofTenant, ofName] = [pattern(identity), pattern(tenant), pattern(name)]
  return {
    ...rest,
    allow,
    fits: (session, called) =>
      ofName(called) &&
      ofIdentity(session.identity?.id ?? '') &&
      ofTenant(String(session.identity?.rights?.['tenant'] ?? ''))
  }
}

/**
 * Lets calls through by rules: the first that matches applies. Without one that matches a peer's call is refused with
 * `rpc.denied`, one of this side goes on.
 */
export const access = (rules: readonly AccessRule[]): Middleware => {
  const incoming = rules.filter(({ direction = 'in' }) => direction === 'in').map(compile)
  const outgoing = rules.filter(({ direction }) => direction === 'out').map(compile)
  const decide = (list: readonly Compiled[], session: RpcSession, kind: string, name: string): boolean | undefined =>
    list.find(
      (rule) =>
        (rule.kind === undefined || rule.kind === kind) &&
        (rule.relayed === undefined || rule.relayed === (session.remote.relayed === true)) &&
        rule.fits(session, name)
    )?.allow
  const called = (kind: string): boolean => kind === 'request' || kind === 'event' || kind === 'stream'
  return {
    name: 'access',
    inbound: ({ kind, name }, session) => {
      if (called(kind) && decide(incoming, session, kind, name) !== true) throw rpcError('rpc.denied', name)
    },
    outbound: ({ kind, name }, session) => {
      if (called(kind) && decide(outgoing, session, kind, name) === false) throw rpcError('rpc.denied', name)
    }
  }
}
