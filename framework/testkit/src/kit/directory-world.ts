import {
  type Clock,
  type Directory,
  type DirectoryChange,
  type DirectoryClaim,
  type DirectoryMember,
  type DirectoryOptions,
  type DirectoryRow,
  type DirectorySession,
  type DirectorySnapshot,
  RystraError,
  silentLog
} from '@rystra/plugin'
import assert from 'node:assert/strict'
import { pause, type Scope } from './scope.js'
import { type Maker, make } from './subject.js'

/** A directory under test, on an engine of its own. */
export interface DirectorySubject {
  readonly directory: Maker<Directory>
  /** Milliseconds of the leases in the kit: as short as the engine can tell apart. @default 1000 */
  readonly lease?: number
  /** @default that of the machine */
  readonly clock?: Clock
  /** Lets time pass for the engine. */
  pass(ms: number): Promise<void>
  /** Restarts the engine without its data. */
  restart?(): Promise<void> | void
  /** Takes the engine away, or brings it back, with or without its data. */
  away?(away: boolean): Promise<void> | void
  /** Lets the engine answer too late, or in time. It keeps its data, and does nothing meanwhile. */
  slow?(slow: boolean): Promise<void> | void
  /** Writes into the engine by hand: rows and members of the cluster `kit` become garbage; further rows are kept. */
  tamper?(): Promise<void> | void
}

const machine: Clock = {
  now: () => Date.now(),
  after: (ms, fn) => {
    const timer = setTimeout(fn, ms)
    return () => clearTimeout(timer)
  }
}

/** Between two attempts to reach an engine. */
const PAUSE_MS = 20

/** What a watcher was shown. */
class Watched {
  readonly rows = new Map<string, DirectoryRow>()
  readonly members = new Map<string, DirectoryMember>()
  snapshots = 0

  snapshot({ members, rows }: DirectorySnapshot): void {
    this.snapshots += 1
    this.rows.clear()
    this.members.clear()
    for (const row of rows) this.rows.set(row.id, row)
    for (const member of members) this.members.set(member.name, member)
  }

  change(change: DirectoryChange): void {
    if (change.type === 'joined') this.members.set(change.member.name, change.member)
    else if (change.type === 'held') this.rows.set(change.row.id, change.row)
    else if (change.type === 'released') {
      if (this.rows.get(change.id)?.fence === change.fence) this.rows.delete(change.id)
    } else {
      this.members.delete(change.name)
      for (const row of this.rows.values()) if (row.instance === change.instance) this.rows.delete(row.id)
    }
  }

  get keys(): string[] {
    return [...this.rows.values()].map(({ key }) => key).sort()
  }
}

/** Members of one cluster on the engine of a subject. */
export class DirectoryWorld {
  readonly lease: number
  readonly grace: number
  readonly #directory: Directory
  readonly clock: Clock

  private constructor(
    readonly subject: DirectorySubject,
    readonly scope: Scope,
    directory: Directory
  ) {
    this.#directory = directory
    this.clock = subject.clock ?? machine
    this.lease = subject.lease ?? 1000
    this.grace = this.lease
  }

  static async open(subject: DirectorySubject, scope: Scope): Promise<DirectoryWorld> {
    return new DirectoryWorld(subject, scope, await make(subject.directory, 'directories', 'server', scope))
  }

  /** A member that has not joined yet. */
  member(name: string, options: Partial<DirectoryOptions> = {}): DirectorySession {
    const session = this.#directory.open({
      cluster: 'kit',
      name,
      instance: `instance-of-${name}`,
      value: { host: name, port: 1 },
      lease: this.lease,
      grace: this.grace,
      clock: this.clock,
      log: silentLog,
      ...options
    })
    this.scope.defer(() => session.leave())
    return session
  }

  async joined(name: string, options: Partial<DirectoryOptions> = {}): Promise<DirectorySession> {
    const session = this.member(name, options)
    await this.scope.wait(session.join(), `${name} to join`)
    return session
  }

  /** The engine is back: waits until it answers. Whether the lease still runs is the answer. */
  renewed(session: DirectorySession): Promise<boolean> {
    const attempt = async (): Promise<boolean> => {
      while (!this.scope.signal.aborted) {
        try {
          return await session.renew()
        } catch {
          await pause(PAUSE_MS)
        }
      }
      return false
    }
    return this.scope.wait(attempt(), 'the engine to be back')
  }

  /** Lets time pass while members renew their leases: so it is not the engine that was away. */
  async passWith(members: readonly DirectorySession[], ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += this.lease / 4) {
      await this.subject.pass(this.lease / 4)
      for (const member of members) await this.scope.wait(member.renew(), 'renew()')
    }
  }

  async watched(session: DirectorySession): Promise<Watched> {
    const watched = new Watched()
    await this.scope.wait(session.watch(watched), 'watch()')
    assert.equal(watched.snapshots, 1, 'a snapshot, when watch() resolves')
    return watched
  }

  async granted(session: DirectorySession, claim: Partial<DirectoryClaim>): Promise<number> {
    const grant = await this.scope.wait(session.claim(claimOf(claim)), 'claim()')
    assert.ok('fence' in grant, `the claim of ${claim.key ?? 'x'} was refused`)
    return grant.fence
  }

  async held(session: DirectorySession, claim: Partial<DirectoryClaim>): Promise<readonly DirectoryRow[]> {
    const grant = await this.scope.wait(session.claim(claimOf(claim)), 'claim()')
    assert.ok('held' in grant, `the key ${claim.key ?? 'x'} was granted to ${claim.owner ?? 'home'}`)
    return grant.held
  }

  /** Allots to a member of the limit of 100 of one key. */
  allotted(session: DirectorySession, used: number, want: number): Promise<number> {
    return this.scope.wait(session.allot({ key: 'x', limit: 100, used, want }), 'allot()')
  }

  async rejects(what: string, code: string, attempt: Promise<unknown>): Promise<void> {
    const error = await this.scope.wait(
      attempt.then(
        () => undefined,
        (cause: unknown) => cause
      ),
      what
    )
    assert.ok(error instanceof RystraError && error.code === code, `${what}: expected ${code}, got ${error}`)
  }

  async until(holds: () => boolean, what: string): Promise<void> {
    await this.scope.until(holds, what)
  }
}

const claimOf = (claim: Partial<DirectoryClaim>): DirectoryClaim => ({ key: 'x', id: 'one', owner: 'home', ...claim })
