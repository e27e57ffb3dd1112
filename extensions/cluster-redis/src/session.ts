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

/** One server in a cluster whose engine is Redis. */
export class RedisSession implements DirectorySession {
  readonly #engine: Engine
  readonly #options: DirectoryOptions
  readonly #feed: Feed
  /** Changes that the engine had made at the last renewal. */
  #seen = 0

  constructor(engine: Engine, options: DirectoryOptions) {
    this.#engine = engine
    this.#options = options
    this.#feed = new Feed(engine, options.log)
  }

  async join(): Promise<{ readonly fence: number }> {
    const { name, instance, value, lease, grace } = this.#options
    const fence = await this.#engine.run(scripts.join, name, instance, JSON.stringify(value), lease, lease + grace)
    if (fence === null) throw new RystraError('cluster.name-taken', { side: 'server', detail: name })
    return { fence: fenceOf(fence) }
  }

  async renew(): Promise<boolean> {
    const { name, instance, lease, grace } = this.#options
    const answer = await this.#engine.run(scripts.renew, name, instance, lease, lease + grace)
    if (!Array.isArray(answer)) throw garbage()
    const [up, sequence] = answer.map(Number)
    this.#feed.check(sequence ?? 0, this.#seen)
    this.#seen = sequence ?? 0
    return up === 1
  }

  async claim(claim: DirectoryClaim): Promise<DirectoryGrant> {
    const { name, instance } = this.#options
    const { key, id, owner, share, replace = [] } = claim
    const fixed = [instance, key, id, ownerWord(owner), shareWord(share), recordText(claim, name)]
    const answer = await this.#engine.run(scripts.claim, ...fixed, ...replace)
    if (answer === null) throw fenced()
    if (!Array.isArray(answer)) return { fence: fenceOf(answer) }
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
    return this.#feed.watch(watcher)
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

const fenced = (): RystraError => new RystraError('cluster.fenced', { side: 'server', detail: 'its lease has expired' })

const garbage = (): RystraError =>
  new RystraError('cluster.unavailable', { side: 'server', detail: 'malformed answer of the engine' })

const fenceOf = (answer: unknown): number => {
  const fence = Number(answer)
  if (!Number.isSafeInteger(fence) || fence <= 0) throw garbage()
  return fence
}
