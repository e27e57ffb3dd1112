import { background, type Logger, RystraError, toRystraError } from '@rystra/model'
import type {
  Clock,
  DirectoryClaim,
  DirectoryGrant,
  DirectorySession,
  DirectoryShare,
  DirectoryWatcher
} from '@rystra/plugin'

/** How this server stands in the directory. `away`: the engine does not answer. `fenced`: for longer than the config bears. */
export type MembershipState = 'joining' | 'up' | 'away' | 'fenced' | 'left'

/** What a {@link Membership} works with. */
export interface MembershipOptions {
  readonly session: DirectorySession
  readonly watcher: DirectoryWatcher
  readonly lease: number
  readonly grace: number
  readonly clock: Clock
  readonly log: Logger
  /** A row of this server is held by another now. */
  onLost(claim: DirectoryClaim): void
  onState(state: MembershipState): void
  /** The lease was renewed, or taken again. @default nothing is done */
  onBeat?(again: boolean): void
  /** Milliseconds on a clock that never jumps. @default that of the machine */
  readonly monotonic?: () => number
}

/** A row of this server. */
interface OwnRow {
  readonly claim: DirectoryClaim
  readonly fence: number
}

/** Rows that are claimed again at a time: a queue that a large server fills in a second or two. */
const CLAIMS_AT_ONCE = 256

/** How often in the time of a lease it is renewed. */
const RENEWALS = 3

const rowKey = ({ key, id }: Pick<DirectoryClaim, 'key' | 'id'>): string => `${key}\n${id}`

/** The lease of this server and the rows under it. Joins again, and claims again, when the lease was lost. */
export class Membership {
  readonly #options: MembershipOptions
  readonly #own = new Map<string, OwnRow>()
  /** Rows that the engine was not told of. */
  readonly #unreleased = new Map<string, Pick<DirectoryClaim, 'key' | 'id'>>()
  /** Rows that the engine knows as they were before. */
  readonly #changed = new Set<string>()
  readonly #now: () => number
  #state: MembershipState = 'joining'
  #joined = false
  #watching = false
  /** When the last renewal that succeeded was sent. */
  #renewed: number
  #cancel: (() => void) | undefined

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#now = options.monotonic ?? (() => performance.now())
    this.#renewed = this.#now()
  }

  get state(): MembershipState {
    return this.#state
  }

  /** Whether no other server can have been granted what this one holds. Checked for each visitor: a process may have slept. */
  get valid(): boolean {
    const { lease, grace } = this.#options
    return this.#state !== 'fenced' && this.#now() - this.#renewed <= lease + grace
  }

  /** Joins as soon as the engine answers. Resolves after the first attempt. */
  async start(): Promise<void> {
    await this.#beat()
  }

  async stop(): Promise<void> {
    this.#cancel?.()
    this.#set('left')
    await this.#options.session.leave()
  }

  /** Rejects with `cluster.unavailable` while the engine is away. */
  async claim(claim: DirectoryClaim): Promise<DirectoryGrant> {
    if (this.#state !== 'up') return this.#claimLater(claim)
    const grant = await this.#options.session.claim(claim)
    if ('fence' in grant) this.#own.set(rowKey(claim), { claim, fence: grant.fence })
    return grant
  }

  /** What this server has already it may change while the engine is away: that is told when it is back. */
  #claimLater(claim: DirectoryClaim): DirectoryGrant {
    const own = this.#own.get(rowKey(claim))
    if (own === undefined) throw new RystraError('cluster.unavailable', { side: 'server', detail: this.#state })
    this.#own.set(rowKey(claim), { claim, fence: own.fence })
    this.#changed.add(rowKey(claim))
    return { fence: own.fence }
  }

  /** Rejects with `cluster.unavailable` at once while the engine is away. */
  async allot(share: DirectoryShare): Promise<number> {
    if (this.#state === 'up') return this.#options.session.allot(share)
    throw new RystraError('cluster.unavailable', { side: 'server', detail: this.#state })
  }

  /** Never rejects: what an engine that is away did not hear ends with the lease, or is given back when it is heard. */
  async release(key: string, id: string): Promise<void> {
    this.#own.delete(rowKey({ key, id }))
    try {
      await this.#options.session.release(key, id)
    } catch (error) {
      this.#options.log.debug({ err: error, key }, 'a row is given back later')
      this.#unreleased.set(rowKey({ key, id }), { key, id })
    }
  }

  /** The directory reports that a row is gone. One that was not given back has been taken. */
  released({ key, id, fence }: Pick<DirectoryClaim, 'key' | 'id'> & { readonly fence: number }): void {
    const own = this.#own.get(rowKey({ key, id }))
    if (own?.fence !== fence) return
    this.#own.delete(rowKey({ key, id }))
    this.#lost(own.claim)
  }

  async #beat(): Promise<void> {
    const { session, watcher, lease, log, clock } = this.#options
    const sent = this.#now()
    try {
      if (this.#joined && !(await session.renew())) {
        log.warn('the directory has lost the lease of this server: all names are claimed again')
        this.#joined = false
      }
      const rejoins = !this.#joined
      const lost = rejoins ? [] : ((await session.lost?.()) ?? [])
      if (rejoins) {
        await session.join()
        await this.#claimAgain([...this.#own.values()])
        // Not before: when the engine goes away meanwhile, all of it is done again.
        this.#joined = true
      }
      const behind = new Set([...lost.map(rowKey), ...this.#changed])
      await this.#claimAgain([...behind].flatMap((key) => this.#own.get(key) ?? []))
      this.#changed.clear()
      await this.#releaseAgain()
      if (!this.#watching) {
        await session.watch(watcher)
        this.#watching = true
      }
      this.#renewed = sent
      this.#set('up')
      this.#act(() => this.#options.onBeat?.(rejoins || lost.length > 0))
    } catch (cause) {
      this.#failed(toRystraError(cause, 'cluster.unavailable'))
    }
    const beat = (): void => background(this.#beat(), log, 'the lease of this server was not renewed')
    if (this.#state !== 'left') this.#cancel = clock.after(lease / RENEWALS, beat)
  }

  #failed(error: RystraError): void {
    const { log } = this.#options
    if (this.#state === 'left') return
    if (this.#state === 'up' || this.#state === 'joining') log.warn({ err: error }, 'the directory does not answer')
    if (!this.valid) this.#set('fenced')
    else if (this.#state !== 'fenced') this.#set('away')
  }

  #set(state: MembershipState): void {
    if (this.#state === state || this.#state === 'left') return
    this.#state = state
    this.#options.log.info({ state }, 'directory of the cluster')
    this.#act(() => this.#options.onState(state))
  }

  #lost(claim: DirectoryClaim): void {
    this.#act(() => this.#options.onLost(claim))
  }

  /** What this server does about it is no fault of the engine, and keeps no lease from being renewed. */
  #act(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.#options.log.error({ err: error }, 'the server did not act on a change of its cluster')
    }
  }

  async #releaseAgain(): Promise<void> {
    for (const [name, { key, id }] of this.#unreleased) {
      if (!this.#own.has(name)) await this.#options.session.release(key, id)
      this.#unreleased.delete(name)
    }
  }

  async #claimAgain(rows: readonly OwnRow[]): Promise<void> {
    for (let at = 0; at < rows.length; at += CLAIMS_AT_ONCE) {
      await Promise.all(rows.slice(at, at + CLAIMS_AT_ONCE).map((row) => this.#claimOne(row)))
    }
  }

  async #claimOne({ claim }: OwnRow): Promise<void> {
    const key = rowKey(claim)
    const grant = await this.#options.session.claim(claim)
    if (!this.#own.has(key)) await this.#options.session.release(claim.key, claim.id)
    else if ('fence' in grant) this.#own.set(key, { claim, fence: grant.fence })
    else {
      this.#own.delete(key)
      this.#lost(claim)
    }
  }
}
