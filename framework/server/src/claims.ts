import { type ErrorCode, RystraError, type VisitorInfo } from '@rystra/model'
import type { Claim } from '@rystra/plugin'
import { type Group, pickMember } from './group.js'
import type { ServerProxy } from './proxy.js'

/** One that holds a key. */
export interface Member<Value> {
  readonly proxy: ServerProxy
  readonly value: Value
}

/** A key with those who hold it. */
class Held<Value> implements Claim<Value> {
  readonly key: string
  readonly group: Group | undefined
  readonly members: Member<Value>[] = []
  /** What the members share, a bound port say; closed when the last is gone. */
  shared: { close(): Promise<void> } | undefined
  /** The last member is leaving: nobody may join any more. */
  leaving: Promise<void> | undefined
  #turn = 0

  constructor(key: string, group: Group | undefined) {
    this.key = key
    this.group = group
  }

  get size(): number {
    return this.members.length
  }

  pick(visitor: VisitorInfo, tried?: ReadonlySet<Value>): Value | undefined {
    this.#turn += 1
    return pickMember(this.members, this.group?.policy ?? 'round-robin', visitor, this.#turn, tried)?.value
  }
}

export type { Held }

/** What a key is called when it is taken. */
export interface Shown {
  readonly code: ErrorCode
  readonly what: string
}

/**
 * Who holds what on this server: ports, hosts, names. Looked up in O(1). A holder that is gone without a word is asked,
 * and loses what it has when it does not answer; one that answers keeps it. Members of one group of one identity hold a
 * key together.
 */
export class Claims {
  readonly #held = new Map<string, Held<unknown>>()
  /** The keys of each group. */
  readonly #ofGroup = new Map<string, Set<string>>()
  readonly #patience: () => number

  /** @param patience Milliseconds a holder has to answer. */
  constructor(patience: () => number) {
    this.#patience = patience
  }

  get<Value>(key: string): Held<Value> | undefined {
    return this.#held.get(key) as Held<Value> | undefined
  }

  /** A key that begins so and that the group of this proxy has. */
  keyOfGroup(beginning: string, proxy: ServerProxy): string | undefined {
    const keys = this.#ofGroup.get(groupKey(proxy) ?? '') ?? []
    for (const key of keys) if (key.startsWith(beginning) && this.#held.get(key)?.leaving === undefined) return key
    return undefined
  }

  #add(held: Held<unknown>, proxy: ServerProxy): void {
    this.#held.set(held.key, held)
    const group = groupKey(proxy)
    if (group === undefined) return
    const keys = this.#ofGroup.get(group) ?? new Set()
    this.#ofGroup.set(group, keys.add(held.key))
  }

  #delete({ key }: Held<unknown>, proxy: ServerProxy): void {
    this.#held.delete(key)
    const group = groupKey(proxy)
    const keys = group === undefined ? undefined : this.#ofGroup.get(group)
    if (group === undefined || keys === undefined) return
    keys.delete(key)
    if (keys.size === 0) this.#ofGroup.delete(group)
  }

  /** Takes `key`, from a dead holder of the same identity if need be, or joins the group that has it. */
  async take<Value>(key: string, member: Member<Value>, shown: Shown): Promise<Held<Value>> {
    // Whoever asks for the same thing in the meantime gets in line: each turn of the loop looks again.
    for (let held = this.#held.get(key); held !== undefined; held = this.#held.get(key)) {
      if (held.leaving !== undefined) {
        await held.leaving
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

  async #dislodge(held: Held<unknown>, proxy: ServerProxy, { code, what }: Shown): Promise<void> {
    const [present] = held.members
    if (present === undefined) return
    const theirs = present.proxy.session
    // Whose it is, is nobody else's business.
    if (theirs.identity.id !== proxy.session.identity.id) throw new RystraError(code, { side: 'server', detail: what })
    const alive = present.proxy.owner === proxy.owner || (await present.proxy.owner.probe(this.#patience()))
    if (alive) {
      throw new RystraError(code, {
        side: 'client',
        detail: `${what}, by proxy ${present.proxy.spec.name} of client ${theirs.client.id}`
      })
    }
    present.proxy.owner.destroy(
      new RystraError('session.timeout', { side: 'client', detail: 'it lost a proxy to its successor' })
    )
    await present.proxy.owner.over
    // A port is free some turns of the event loop after its session: those must come, so this waits outside of them.
    while (held.members.includes(present)) await new Promise((resolve) => setImmediate(resolve))
  }

  /** Gives `key` back, if `proxy` holds it. What the members shared is closed with the last. */
  async drop(key: string, proxy: ServerProxy): Promise<void> {
    const held = this.#held.get(key)
    const member = held?.members.find((one) => one.proxy === proxy)
    if (held === undefined || member === undefined || held.leaving !== undefined) return
    if (held.members.length > 1) {
      held.members.splice(held.members.indexOf(member), 1)
      return
    }
    held.leaving = (async () => {
      await held.shared?.close()
      held.members.length = 0
      this.#delete(held, proxy)
    })()
    await held.leaving
  }
}

/** A group is of one identity. */
const groupKey = ({ group, session }: ServerProxy): string | undefined =>
  group === undefined ? undefined : JSON.stringify([session.identity.id, group.name])

/** A dead member keeps nobody out of its group: it is left out by its health, or goes with its session. */
const joins = (held: Held<unknown>, { proxy }: Member<unknown>): boolean => {
  const [first] = held.members
  const { group } = proxy
  if (first === undefined || group === undefined || held.group?.name !== group.name) return false
  if (first.proxy.session.identity.id !== proxy.session.identity.id) return false
  return !held.members.some((member) => member.proxy === proxy)
}

/** Which of two policies is meant, nobody can tell. */
const agree = ({ group }: Held<unknown>, { proxy }: Member<unknown>, { code, what }: Shown): void => {
  if (group === undefined || group.policy === proxy.group?.policy) return
  const detail = `${what}, by the group ${group.name}, whose members have the policy ${group.policy}`
  throw new RystraError(code, { side: 'client', detail })
}
