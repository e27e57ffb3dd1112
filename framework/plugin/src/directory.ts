import type { Logger } from '@rystra/model'
import type { Clock } from './clock.js'

/** One server of a cluster, as the directory lists it. */
export interface DirectoryMember {
  /** Unique in the cluster: `server.cluster.name`. */
  readonly name: string
  /** Random, another one for each process: tells a restarted server from the one before. */
  readonly instance: string
  /** See {@link DirectoryRow.fence}. */
  readonly fence: number
  /** What it says of itself. Plain values. */
  readonly value: unknown
}

/** What one member holds under a key. */
export interface DirectoryRow {
  readonly key: string
  /** Tells the holders of one key apart. Unique in the cluster. */
  readonly id: string
  /** Name and instance of the member that holds it. */
  readonly member: string
  readonly instance: string
  /**
   * Fencing number, larger for each claim that is granted, over all keys and restarts of the engine. Of two holders that
   * exclude each other the one with the larger number is the right one.
   */
  readonly fence: number
  /** The identity on whose behalf it is held. */
  readonly owner: string
  /** Rows of one owner with the same word share a key. Without one a key has a single row. */
  readonly share?: string
  /** Plain values. */
  readonly value?: unknown
}

/** A row that is asked for. */
export interface DirectoryClaim extends Pick<DirectoryRow, 'key' | 'id' | 'owner' | 'share' | 'value'> {
  /**
   * Fencing numbers of rows of the same owner whose holder does not answer: they are replaced. A row of another owner, or
   * with another number, is not.
   */
  readonly replace?: readonly number[]
}

/** `fence` when it is granted, otherwise the rows that are in the way. */
export type DirectoryGrant = { readonly fence: number } | { readonly held: readonly DirectoryRow[] }

/** What one member takes of a limit that all members share. Whole numbers. */
export interface DirectoryShare {
  readonly key: string
  /** Of all members together. */
  readonly limit: number
  /** In use at this member now: it keeps at least so much. */
  readonly used: number
  /** What it could use, `used` included. 0 gives everything back. */
  readonly want: number
}

/** Everything that is in a directory: members whose lease runs, and their rows. */
export interface DirectorySnapshot {
  readonly members: readonly DirectoryMember[]
  readonly rows: readonly DirectoryRow[]
}

/** One thing that changed in a directory. The rows of a member that left are gone with it. */
export type DirectoryChange =
  | { readonly type: 'joined'; readonly member: DirectoryMember }
  | { readonly type: 'left'; readonly name: string; readonly instance: string }
  | { readonly type: 'held'; readonly row: DirectoryRow }
  | { readonly type: 'released'; readonly key: string; readonly id: string; readonly fence: number }

/** Follows a directory. Calls are made in order, and never within a call of the session. A throw is logged. */
export interface DirectoryWatcher {
  /** The whole: first of all, and whenever changes may have been missed. */
  snapshot(snapshot: DirectorySnapshot): void
  change(change: DirectoryChange): void
}

/** How a server takes part in a directory. */
export interface DirectoryOptions {
  /** Name of the cluster: clusters with different names share an engine without seeing each other. */
  readonly cluster: string
  readonly name: string
  readonly instance: string
  readonly value: unknown
  /**
   * Milliseconds without {@link DirectorySession.renew} after which the member counts as gone. A lease that ends while the engine is
   * away is no proof of it: each member then gets another one, from the first renewal of any of them on.
   */
  readonly lease: number
  /**
   * Milliseconds after that in which the keys of a member that is gone are granted to their owner only: for so long it may
   * still serve them behind a partition.
   */
  readonly grace: number
  readonly clock: Clock
  readonly log: Logger
}

/**
 * One server in a directory. Everything rejects with `cluster.unavailable` when the engine does not answer in time. Answers of
 * an engine that cannot be understood count as no answer; rows that cannot be understood are left out, and logged.
 */
export interface DirectorySession {
  /** Takes the name, and starts the lease. Rejects with `cluster.name-taken` while another instance has it. */
  join(): Promise<{ readonly fence: number }>
  /** `false`: the lease was lost, and with it every row. Join again, and claim again. */
  renew(): Promise<boolean>
  /**
   * Rows of this instance that were neither taken nor given back and are missing, as where the engine evicts keys. Asked after a
   * renewal; each is claimed again. @default an engine that keeps what it has
   */
  lost?(): Promise<readonly Pick<DirectoryClaim, 'key' | 'id'>[]>
  /** Atomic over all members. Asked again for a row that this instance holds, it replaces the value and the number. */
  claim(claim: DirectoryClaim): Promise<DirectoryGrant>
  /** Gives a row of this instance back. */
  release(key: string, id: string): Promise<void>
  /**
   * Answers with what this member may use of a limit from now on, in place of what it was allotted before: at least `used`,
   * at most `want`. Together members whose lease runs are allotted no more than the limit, unless `used` exceeds it. While they
   * want more, one that has less than `limit` divided by those that want any gets what the others give back; one that has more
   * keeps what it uses. Ends with the lease. Atomic over all members.
   */
  allot(share: DirectoryShare): Promise<number>
  /** Begins with a snapshot; resolves when it was delivered. */
  watch(watcher: DirectoryWatcher): Promise<void>
  /** Gives everything back, and disconnects. Never rejects. */
  leave(): Promise<void>
}

/** Where several servers agree on who holds what. `registries.directories` */
export interface Directory {
  readonly name: string
  /** Connects in the background: an engine that is away is no error here. */
  open(options: DirectoryOptions): DirectorySession
}
