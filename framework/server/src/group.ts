import type { ProxySpec, VisitorInfo } from '@rystra/model'
import type { ServerProxy } from './proxy.js'

/** How a group chooses among its members. */
export type Policy = 'round-robin' | 'least-connections' | 'random' | 'sticky'

/** A load-balancing group, as one of its members names it. */
export interface Group {
  readonly name: string
  readonly policy: Policy
}

/** The group of a spec, if it is of one. */
export const groupOf = ({ group }: ProxySpec): Group | undefined => {
  if (group === undefined) return undefined
  if (typeof group === 'string') return { name: group, policy: 'round-robin' }
  const { name, policy = 'round-robin' } = group as { name: string; policy?: Policy }
  return { name, policy }
}

/** FNV-1a, 32 bits: spreads, and is no secret. */
const hash = (text: string): number => {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  // The last bits of similar texts are similar: mix.
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d)
  return (value ^ (value >>> 13)) >>> 0
}

/** One of those that can serve. Sticky is by highest random weight: who leaves moves nobody but its own visitors. */
export const pickMember = <Member extends { readonly proxy: ServerProxy }>(
  members: readonly Member[],
  policy: Policy,
  visitor: VisitorInfo,
  turn: number
): Member | undefined => {
  const [only] = members
  if (members.length === 1) return only
  const able = members.filter(({ proxy }) => proxy.able)
  if (able.length === 0) return undefined
  if (policy === 'round-robin') return able[turn % able.length]
  if (policy === 'random') return able[Math.floor(Math.random() * able.length)]
  const weight = ({ proxy }: Member): number =>
    policy === 'least-connections'
      ? -proxy.streams
      : hash(`${visitor.host} ${proxy.session.client.id} ${proxy.spec.name}`)
  return able.reduce((best, member) => (weight(member) > weight(best) ? member : best))
}
