import {
  type DirectoryChange,
  type DirectoryClaim,
  type DirectoryGrant,
  type DirectoryOptions,
  type DirectorySession,
  type DirectoryShare,
  type DirectoryWatcher,
  RystraError
} from '@rystra/plugin'
import type { Holder, MemoryEngine } from './engine.js'

/** One server in a {@link MemoryEngine}. Nothing is answered in the turn in which it was asked. */
export class MemorySession implements DirectorySession {
  readonly #engine: () => MemoryEngine
  readonly #options: DirectoryOptions
  readonly #holder: Holder
  #watcher: DirectoryWatcher | undefined
  #unsubscribe: (() => void) | undefined
  /** Changes were not delivered: the watcher needs the whole again. */
  #stale = false

  /** @param engine throws `cluster.unavailable` while it is away */
  constructor(engine: () => MemoryEngine, options: DirectoryOptions) {
    this.#engine = engine
    this.#options = options
    this.#holder = { member: options.name, instance: options.instance }
  }

  async join(): Promise<{ readonly fence: number }> {
    const { name, instance, value, lease, grace } = this.#options
    const fence = (await this.#reached()).join({ name, instance, value }, lease, grace)
    if (fence === undefined) throw new RystraError('cluster.name-taken', { side: 'server', detail: name })
    return { fence }
  }

  async renew(): Promise<boolean> {
    return (await this.#reached()).renew(this.#holder)
  }

  async claim(claim: DirectoryClaim): Promise<DirectoryGrant> {
    const answer = (await this.#reached()).claim(claim, this.#holder)
    return Array.isArray(answer) ? { held: answer } : { fence: answer.fence }
  }

  async release(key: string, id: string): Promise<void> {
    ;(await this.#reached()).release(key, id, this.#holder)
  }

  async allot(share: DirectoryShare): Promise<number> {
    const allotted = (await this.#reached()).allot(share, this.#holder)
    if (allotted === undefined) throw new RystraError('cluster.fenced', { side: 'server', detail: 'its lease is over' })
    return allotted
  }

  async watch(watcher: DirectoryWatcher): Promise<void> {
    const engine = await this.#reached()
    this.#unsubscribe?.()
    this.#watcher = watcher
    this.#unsubscribe = engine.subscribe((change) => setImmediate(() => this.#changed(change)))
    this.#snapshot(engine)
  }

  #snapshot({ members, rows }: MemoryEngine): void {
    this.#stale = false
    this.#tell((watcher) => watcher.snapshot({ members, rows }))
  }

  #changed(change: DirectoryChange | undefined): void {
    try {
      const engine = this.#engine()
      if (change === undefined || this.#stale) this.#snapshot(engine)
      else this.#tell((watcher) => watcher.change(change))
    } catch {
      this.#stale = true
    }
  }

  #tell(tell: (watcher: DirectoryWatcher) => void): void {
    if (this.#watcher === undefined) return
    try {
      tell(this.#watcher)
    } catch (error) {
      this.#options.log.error({ err: error }, 'a change of the directory could not be used')
    }
  }

  async leave(): Promise<void> {
    try {
      ;(await this.#reached()).leave(this.#holder)
    } catch (error) {
      this.#options.log.debug({ err: error }, 'the directory did not answer when this server left')
    }
    this.#unsubscribe?.()
    this.#watcher = undefined
  }

  async #reached(): Promise<MemoryEngine> {
    await new Promise((resolve) => setImmediate(resolve))
    const engine = this.#engine()
    if (this.#stale) setImmediate(() => this.#changed(undefined))
    return engine
  }
}
