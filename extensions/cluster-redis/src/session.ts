import {
  type DirectoryClaim,
  type DirectoryGrant,
  type DirectoryOptions,
  type DirectorySession,
  type DirectoryShare,
  type DirectoryWatcher,
  RystraError
} from '@rystra/plugin'
import type { Engine } from './engine.js'
import { Feed } from './feed.js'
import * as scripts from './scripts.js'
import { ownerWord, recordText, rowOf, shareWord } from './text.js'

/** Rows that one renewal checks: a server with more of them checks the others with the next ones. */
const CHECKED_AT_ONCE = 1000

/** Milliseconds between two readings of what the engine does when its memory is full. */
const POLICY_MS = 60_000

interface OwnRow {
  readonly key: string
  readonly id: string
  readonly fence: number
}

const nameOf = (key: string, id: string): string => `${key}\n${id}`

/** One server in a cluster whose engine is Redis. */
export class RedisSession implements DirectorySession {
  readonly #engine: Engine
  readonly #options: DirectoryOptions
  readonly #feed: Feed
  /** Changes that the engine had made at the last renewal. */
  #seen = 0
  /** Rows that this server was granted, by name. */
  readonly #own = new Map<string, OwnRow>()
  /** Names of rows that are to be checked. */
  #unseen: string[] = []
  #policy: string | undefined
  #policyAt = Number.NEGATIVE_INFINITY

  constructor(engine: Engine, options: DirectoryOptions) {
    this.#engine = engine
    this.#options = options
    this.#feed = new Feed(engine, options.log)
  }

  async join(): Promise<{ readonly fence: number }> {
    const { name, instance, value, lease, grace } = this.#options
    const fence = await this.#engine.run(scripts.join, name, instance, lease, lease + grace, JSON.stringify(value))
    if (fence === null) throw new RystraError('cluster.name-taken', { side: 'server', detail: name })
    const joined = { fence: fenceOf(fence) }
    // What it has is claimed again.
    this.#own.clear()
    this.#readPolicy()
    return joined
  }

  async renew(): Promise<boolean> {
    const { name, instance, lease, grace } = this.#options
    const answer = await this.#engine.run(scripts.renew, name, instance, lease, lease + grace)
    if (!Array.isArray(answer)) throw garbage()
    const [up, sequence] = answer.map(Number)
    this.#feed.check(sequence ?? 0, this.#seen)
    this.#seen = sequence ?? 0
    this.#readPolicy()
    return up === 1
  }

  async lost(): Promise<readonly OwnRow[]> {
    if (this.#unseen.length === 0) this.#unseen = [...this.#own.keys()]
    const rows = this.#unseen.splice(0, CHECKED_AT_ONCE).flatMap((name) => this.#own.get(name) ?? [])
    if (rows.length === 0) return []
    const names = rows.flatMap(({ key, id }) => [key, id])
    const answer = await this.#engine.run(scripts.lost, this.#options.instance, ...names)
    if (!Array.isArray(answer)) throw garbage()
    // What was given back meanwhile, or claimed again, is not lost.
    const lost = answer
      .flatMap((at) => rows[Number(at)] ?? [])
      .filter((row) => this.#own.get(nameOf(row.key, row.id)) === row)
    if (lost.length === 0) return []
    for (const { key, id } of lost) this.#own.delete(nameOf(key, id))
    this.#options.log.warn(
      { lost: lost.length },
      'Redis has lost rows of this server, which are claimed again: set maxmemory-policy to noeviction, and maxmemory to more than it uses'
    )
    return lost
  }

  /** An engine that evicts keys works, until its memory is full. */
  #readPolicy(): void {
    const { clock, log } = this.#options
    if (clock.now() - this.#policyAt < POLICY_MS) return
    this.#policyAt = clock.now()
    const read = this.#engine.run(scripts.policy).then((answer) => this.#sawPolicy(answer))
    read.catch((err: unknown) => log.debug({ err }, 'maxmemory-policy of Redis is not known'))
  }

  #sawPolicy(answer: unknown): void {
    const { log } = this.#options
    const [policy = '', why = ''] = Array.isArray(answer) ? answer.map(String) : []
    if (policy === this.#policy) return
    this.#policy = policy
    if (policy === '') log.debug({ why }, 'maxmemory-policy of Redis is not known')
    else if (policy !== 'noeviction') log.warn({ policy }, EVICTS)
  }

  async claim(claim: DirectoryClaim): Promise<DirectoryGrant> {
    const { name, instance } = this.#options
    const { key, id, owner, share, replace = [] } = claim
    const fixed = [instance, key, id, ownerWord(owner), shareWord(share), recordText(claim, name)]
    const answer = await this.#engine.run(scripts.claim, ...fixed, ...replace)
    if (answer === null) throw fenced()
    if (!Array.isArray(answer)) {
      const fence = fenceOf(answer)
      this.#own.set(nameOf(key, id), { key, id, fence })
      return { fence }
    }
    this.#own.delete(nameOf(key, id))
    return { held: answer.map((raw) => this.#heldOf(String(raw), key)) }
  }

  /** One that cannot be understood is in the way all the same. */
  #heldOf(raw: string, key: string) {
    try {
      return rowOf(raw)
    } catch (error) {
      this.#options.log.warn({ err: error, key }, 'a row of the engine is malformed')
      return { key, id: '', member: '', instance: '', fence: 0, owner: '' }
    }
  }

  async release(key: string, id: string): Promise<void> {
    this.#own.delete(nameOf(key, id))
    await this.#engine.run(scripts.release, this.#options.instance, key, id)
  }

  async allot({ key, limit, used, want }: DirectoryShare): Promise<number> {
    const answer = await this.#engine.run(scripts.allot, this.#options.instance, key, limit, used, want)
    if (answer === null) throw fenced()
    const allotted = Number(answer)
    if (!Number.isSafeInteger(allotted) || allotted < used || allotted > Math.max(used, want)) throw garbage()
    return allotted
  }

  watch(watcher: DirectoryWatcher): Promise<void> {
    return this.#feed.watch({
      snapshot: (snapshot) => watcher.snapshot(snapshot),
      change: (change) => {
        if (change.type === 'released') this.#taken(change)
        watcher.change(change)
      }
    })
  }

  /** A row that another server has is not lost. */
  #taken({ key, id, fence }: { readonly key: string; readonly id: string; readonly fence: number }): void {
    if (this.#own.get(nameOf(key, id))?.fence === fence) this.#own.delete(nameOf(key, id))
  }

  async leave(): Promise<void> {
    this.#feed.stop()
    try {
      await this.#engine.run(scripts.leave, this.#options.name, this.#options.instance)
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the directory did not answer when this server left')
    }
    this.#engine.close()
  }
}

const EVICTS =
  'Redis evicts keys when its memory is full, and with them names of this cluster: set its maxmemory-policy to noeviction'

const fenced = (): RystraError => new RystraError('cluster.fenced', { side: 'server', detail: 'its lease has expired' })

const garbage = (): RystraError =>
  new RystraError('cluster.unavailable', { side: 'server', detail: 'malformed answer of the engine' })

const fenceOf = (answer: unknown): number => {
  const fence = Number(answer)
  if (!Number.isSafeInteger(fence) || fence <= 0) throw garbage()
  return fence
}
