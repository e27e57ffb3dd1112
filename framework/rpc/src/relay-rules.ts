import type { SessionInfo } from '@rystra/model'
import { pattern } from '@rystra/address'

/** One rule of a server: which client may call which other one through it. What is left out matches everything. */
export interface RelayRule {
  /** Pattern of the calling client's identity. */
  readonly identity?: string
  /** Pattern of the calling client's id. */
  readonly from?: string
  /** Pattern of the called client's id. */
  readonly to?: string
  /** Pattern of the called client's identity. */
  readonly toIdentity?: string
  /** @default true */
  readonly allow?: boolean
}

/** Whether a client may reach another one: the first rule that matches applies, without one it may not. */
export const mayRelay = (rules: readonly RelayRule[], caller: SessionInfo, called: SessionInfo): boolean => {
  const rule = rules.find(
    ({ identity = '*', from = '*', to = '*', toIdentity = '*' }) =>
      pattern(identity)(caller.identity.id) &&
      pattern(from)(caller.client.id) &&
      pattern(to)(called.client.id) &&
      pattern(toIdentity)(called.identity.id)
  )
  return rule !== undefined && rule.allow !== false
}
