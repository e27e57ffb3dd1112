import type {
  Clock,
  DirectoryChange,
  DirectoryMember,
  DirectoryRow,
  DirectorySnapshot,
  DirectoryWatcher
} from '@rystra/plugin'

/** What of a directory is new, or gone. */
export interface ReplicaEvents {
  /** A row is there, or has another value or number. */
  onRow(row: DirectoryRow): void
  onGone(row: DirectoryRow): void
  onMember(member: DirectoryMember): void
  onMemberGone(member: DirectoryMember): void
}

const rowKey = ({ key, id }: Pick<DirectoryRow, 'key' | 'id'>): string => `${key}\n${id}`

/**
 * What this server knows of the directory. What a snapshot lacks is kept for the time of a lease: an engine that was
 * restarted without its data is filled again by its members within that time. What was given back is gone at once. While this
 * server does not reach the engine nothing ends, and the time begins anew when it does.
 */
export class Replica implements DirectoryWatcher {
  readonly members = new Map<string, DirectoryMember>()
  readonly #rows = new Map<string, DirectoryRow>()
  /** Keys of rows by instance. */
  readonly #ofInstance = new Map<string, Set<string>>()
  /** Rows and members that a snapshot lacked. */
  readonly #missing = new Map<string, { readonly gone: () => void; readonly cancel: () => void }>()
  readonly #events: ReplicaEvents
  readonly #clock: Clock
  readonly #lease: number
  readonly #isAway: () => boolean

  /** @param isAway whether this server does not reach the engine */
  constructor(events: ReplicaEvents, clock: Clock, lease: number, isAway: () => boolean = () => false) {
    this.#isAway = isAway
    this.#events = events
    this.#clock = clock
    this.#lease = lease
  }

  get rows(): Iterable<DirectoryRow> {
    return this.#rows.values()
  }

  row(key: string, id: string): DirectoryRow | undefined {
    return this.#rows.get(rowKey({ key, id }))
  }

  snapshot({ members, rows }: DirectorySnapshot): void {
    const names = new Set(members.map(({ name }) => name))
    for (const [name, member] of this.members) {
      if (!names.has(name)) this.#keep(`member ${name}`, () => this.#memberGone(member))
    }
    const present = new Set(rows.map(rowKey))
    for (const [key, row] of this.#rows) if (!present.has(key)) this.#keep(key, () => this.#remove(row))
    for (const member of members) this.#joined(member, true)
    for (const row of rows) this.#held(row, true)
  }

  change(change: DirectoryChange): void {
    if (change.type === 'joined') this.#joined(change.member)
    else if (change.type === 'held') this.#held(change.row)
    else if (change.type === 'left') {
      const member = this.members.get(change.name)
      if (member?.instance === change.instance) this.#memberGone(member)
      this.#removeAll(change.instance)
    } else {
      const row = this.#rows.get(rowKey(change))
      if (row?.fence === change.fence) this.#remove(row)
    }
  }

  /** This server reaches the engine again: so may the others within a lease. */
  back(): void {
    for (const [key, { gone, cancel }] of [...this.#missing]) {
      cancel()
      this.#wait(key, gone)
    }
  }

  /** Forgets what it waits for. */
  stop(): void {
    for (const { cancel } of this.#missing.values()) cancel()
    this.#missing.clear()
  }

  #keep(key: string, gone: () => void): void {
    if (!this.#missing.has(key)) this.#wait(key, gone)
  }

  #wait(key: string, gone: () => void): void {
    const end = (): void => {
      if (this.#isAway()) {
        this.#wait(key, gone)
        return
      }
      this.#missing.delete(key)
      gone()
    }
    this.#missing.set(key, { gone, cancel: this.#clock.after(this.#lease, end) })
  }

  #found(key: string): void {
    this.#missing.get(key)?.cancel()
    this.#missing.delete(key)
  }

  /** @param whole Of a snapshot: it counts, also with a lower number, as of an engine that lost its data and whose clock was set back */
  #joined(member: DirectoryMember, whole = false): void {
    this.#found(`member ${member.name}`)
    const before = this.members.get(member.name)
    if (before !== undefined && (before.fence === member.fence || (!whole && before.fence > member.fence))) return
    if (before !== undefined && before.instance !== member.instance) this.#memberGone(before)
    this.members.set(member.name, member)
    this.#events.onMember(member)
  }

  #memberGone(member: DirectoryMember): void {
    this.#found(`member ${member.name}`)
    if (this.members.get(member.name) !== member) return
    this.members.delete(member.name)
    this.#removeAll(member.instance)
    this.#events.onMemberGone(member)
  }

  #removeAll(instance: string): void {
    for (const key of [...(this.#ofInstance.get(instance) ?? [])]) {
      const row = this.#rows.get(key)
      if (row !== undefined) this.#remove(row)
    }
  }

  #held(row: DirectoryRow, whole = false): void {
    const key = rowKey(row)
    const before = this.#rows.get(key)
    if (!whole && before !== undefined && before.fence > row.fence) return
    this.#found(key)
    if (before?.fence === row.fence) return
    if (before !== undefined && before.instance !== row.instance) this.#remove(before)
    this.#rows.set(key, row)
    const keys = this.#ofInstance.get(row.instance) ?? new Set()
    this.#ofInstance.set(row.instance, keys.add(key))
    this.#events.onRow(row)
  }

  #remove(row: DirectoryRow): void {
    const key = rowKey(row)
    this.#found(key)
    if (this.#rows.get(key) !== row) return
    this.#rows.delete(key)
    const keys = this.#ofInstance.get(row.instance)
    keys?.delete(key)
    if (keys?.size === 0) this.#ofInstance.delete(row.instance)
    this.#events.onGone(row)
  }
}
