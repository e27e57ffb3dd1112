import type { ErrorCode, VisitorInfo } from '@rystra/model'
import type { Claim } from '@rystra/plugin'
import { pickMember } from './group.js'
import type { Group, Holder } from './owner.js'

/** One that holds a key. */
export interface Member<Value> {
  readonly proxy: Holder
  readonly value: Value
}

/** A key with those who hold it. */
export class Held<Value> implements Claim<Value> {
  readonly key: string
  group: Group | undefined
  readonly members: Member<Value>[] = []
  /** What the members share, a bound port say; closed when the last is gone. */
  shared: { close(): Promise<void> } | undefined
  /** The last member is leaving: no other may join any more. */
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

/** What a key is called when it is taken. */
export interface Shown {
  readonly code: ErrorCode
  readonly what: string
}

/**
 * Holders of ports, hosts and names. In the memory of this server, or where several servers look. A holder that is gone
 * without a word is asked, and loses what it has when it does not answer; one that answers keeps it. Members of one group
 * of one identity hold a key together.
 */
export interface Claims {
  find<Value>(key: string): Promise<Held<Value> | undefined>
  /** A key that begins so and that the group of this proxy has. */
  keyOfGroup(beginning: string, proxy: Holder): Promise<string | undefined>
  /**
   * Takes `key`: from the predecessor of the proxy, in one step, or from a dead holder of the same identity if need be, or
   * joins the group that has it.
   */
  take<Value>(key: string, member: Member<Value>, shown: Shown): Promise<Held<Value>>
  /** Gives `key` back, if `proxy` holds it. What the members shared is closed with the last. */
  drop(key: string, proxy: Holder): Promise<void>
}
