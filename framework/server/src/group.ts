import type { ProxySpec, VisitorInfo } from '@rystra/model'
import type { Group, Holder, Policy } from './owner.js'

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

/** One that may be chosen. */
interface Choice {
  readonly proxy: Holder
  readonly value: unknown
}

/**
 * One of those that can serve, and have not been tried for this visitor. Those that failed a moment ago come last. Sticky
 * is by highest random weight: a member that leaves moves only its own visitors.
 */
export const pickMember = <Member extends Choice>(
  members: readonly Member[],
  policy: Policy,
  visitor: VisitorInfo,
  turn: number,
  tried?: ReadonlySet<unknown>
): Member | undefined => {
  const [only] = members
  // One that is full tells its visitors so itself.
  if (members.length === 1) return only?.proxy.healthy === true && tried?.has(only.value) !== true ? only : undefined
  const candidates = members.filter(({ proxy, value }) => proxy.available && tried?.has(value) !== true)
  const well = candidates.filter(({ proxy }) => !proxy.recentlyFailed)
  const best = well.length === 0 ? candidates : well
  if (best.length === 0) return undefined
  if (policy === 'round-robin') return best[turn % best.length]
  if (policy === 'random') return best[Math.floor(Math.random() * best.length)]
  const weight = ({ proxy }: Member): number =>
    policy === 'least-connections'
      ? -proxy.streams.open.size
      : hash(`${visitor.host} ${proxy.session.client.id} ${proxy.spec.name}`)
  return best.reduce((found, member) => (weight(member) > weight(found) ? member : found))
}
