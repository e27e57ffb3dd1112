import { RystraError } from '@rystra/model'
import { type Claims, Held, type Member, type Shown } from './claims.js'
import type { Holder } from './owner.js'

/** {@link Claims} of one server. Looked up in O(1). */
export class MemoryClaims implements Claims {
  readonly #held = new Map<string, Held<unknown>>()
  /** The keys of each group. */
  readonly #ofGroup = new Map<string, Set<string>>()
  readonly #timeout: () => number

  /** @param timeout Milliseconds a holder has to answer. */
  constructor(timeout: () => number) {
    this.#timeout = timeout
  }

  get<Value>(key: string): Held<Value> | undefined {
    return this.#held.get(key) as Held<Value> | undefined
  }

  async find<Value>(key: string): Promise<Held<Value> | undefined> {
    return this.get(key)
  }

  async keyOfGroup(beginning: string, proxy: Holder): Promise<string | undefined> {
    const keys = this.#ofGroup.get(groupKey(proxy) ?? '') ?? []
    for (const key of keys) if (key.startsWith(beginning) && this.#held.get(key)?.leaving === undefined) return key
    return undefined
  }

  #add(held: Held<unknown>, proxy: Holder): void {
    this.#held.set(held.key, held)
    const group = groupKey(proxy)
    if (group === undefined) return
    const keys = this.#ofGroup.get(group) ?? new Set()
    this.#ofGroup.set(group, keys.add(held.key))
  }

  #delete({ key }: Held<unknown>, proxy: Holder): void {
    this.#held.delete(key)
    const group = groupKey(proxy)
    const keys = group === undefined ? undefined : this.#ofGroup.get(group)
    if (group === undefined || keys === undefined) return
    keys.delete(key)
    if (keys.size === 0) this.#ofGroup.delete(group)
  }

  async take<Value>(key: string, member: Member<Value>, shown: Shown): Promise<Held<Value>> {
    // The key may be claimed again while this waits, so each turn of the loop looks anew.
    for (let held = this.#held.get(key); held !== undefined; held = this.#held.get(key)) {
      if (held.leaving !== undefined) {
        // Why it failed is told to the member that left.
        await held.leaving.catch(() => {})
      } else if (this.#succeeds(held, member)) {
        return held as Held<Value>
      } else if (joins(held, member)) {
        agree(held, member, shown)
        held.members.push(member)
        return held as Held<Value>
      } else await this.#dislodge(held, member.proxy, shown)
    }
    const held = new Held<Value>(key, member.proxy.group)
    held.members.push(member)
    this.#add(held as Held<unknown>, member.proxy)
    return held
  }

  /** Puts a member in the place of the proxy that it replaces, or of itself. Says whether that held the key. */
  #succeeds(held: Held<unknown>, member: Member<unknown>): boolean {
    const { members, group } = held
    const { proxy } = member
    const index = members.findIndex((one) => one.proxy === proxy.predecessor || one.proxy === proxy)
    if (index === -1) return false
    if (group?.name !== proxy.group?.name || group?.policy !== proxy.group?.policy) {
      // Of a group of several it cannot take the key along.
      if (members.length > 1) return false
      this.#delete(held, (members[index] as Member<unknown>).proxy)
      held.group = proxy.group
      this.#add(held, proxy)
    }
    members[index] = member
    return true
  }

  async #dislodge(held: Held<unknown>, proxy: Holder, { code, what }: Shown): Promise<void> {
    const [present] = held.members
    if (present === undefined) return
    if (present.proxy.remote !== undefined || proxy.remote !== undefined) {
      // What this server has was granted by the directory, and is newer than what it has heard of others.
      const newer =
        (proxy.remote?.fence ?? Number.POSITIVE_INFINITY) > (present.proxy.remote?.fence ?? Number.POSITIVE_INFINITY)
      if (!newer) throw new RystraError(code, { side: 'server', detail: what })
      await present.proxy.owner.evict(new RystraError('cluster.not-here', { side: 'server' }))
      return
    }
    const { session } = present.proxy
    // The holder is not disclosed to another identity.
    if (session.identity.id !== proxy.session.identity.id) throw new RystraError(code, { side: 'server', detail: what })
    const alive = present.proxy.owner === proxy.owner || (await present.proxy.owner.probe(this.#timeout()))
    if (alive) {
      throw new RystraError(code, {
        side: 'client',
        detail: `${what}, by proxy ${present.proxy.spec.name} of client ${session.client.id}`
      })
    }
    const error = new RystraError('session.timeout', {
      side: 'client',
      detail: 'its client has a newer session, which took a proxy over'
    })
    await present.proxy.owner.evict(error)
    // A port is free some turns of the event loop after its session: those must come, so this waits outside of them.
    while (held.members.includes(present)) await new Promise((resolve) => setImmediate(resolve))
  }

  async drop(key: string, proxy: Holder): Promise<void> {
    const held = this.#held.get(key)
    const member = held?.members.find((one) => one.proxy === proxy)
    if (held === undefined || member === undefined || held.leaving !== undefined) return
    if (held.members.length > 1) {
      held.members.splice(held.members.indexOf(member), 1)
      return
    }
    held.leaving = (async () => {
      try {
        await held.shared?.close()
      } finally {
        held.members.length = 0
        this.#delete(held, proxy)
      }
    })()
    await held.leaving
  }
}

/** A group is of one identity. */
const groupKey = ({ group, session }: Holder): string | undefined =>
  group === undefined ? undefined : JSON.stringify([session.identity.id, group.name])

/** A dead member keeps no other out of its group: its health excludes it, or it goes with its session. */
const joins = (held: Held<unknown>, { proxy }: Member<unknown>): boolean => {
  const [first] = held.members
  const { group, session } = proxy
  if (first === undefined || first.proxy.session.identity.id !== session.identity.id) return false
  const together = group === undefined ? isReplica(held, first.proxy, proxy) : held.group?.name === group.name
  return together && !held.members.some((member) => member.proxy === proxy)
}

/** One process of a client has sessions with several servers, and its proxy on each. A socket for datagrams has one reader. */
const isReplica = ({ key, group }: Held<unknown>, one: Holder, other: Holder): boolean => {
  if (group !== undefined || key.startsWith('udp ')) return false
  if (one.remote === undefined && other.remote === undefined) return false
  const [a, b] = [one.session, other.session]
  return (
    a.id !== b.id &&
    a.client.id === b.client.id &&
    a.client.instance === b.client.instance &&
    one.spec.name === other.spec.name
  )
}

/** Throws unless the policies of the group and of its new member agree. */
const agree = ({ group }: Held<unknown>, { proxy }: Member<unknown>, { code, what }: Shown): void => {
  if (group === undefined || group.policy === proxy.group?.policy) return
  const detail = `${what}, by the group ${group.name}, whose members have the policy ${group.policy}`
  throw new RystraError(code, { side: 'client', detail })
}
