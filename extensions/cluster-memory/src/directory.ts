import { type Directory, type DirectoryOptions, type DirectorySession, RystraError } from '@rystra/plugin'
import { MemoryEngine } from './engine.js'
import { MemorySession } from './session.js'

/** A directory in the memory of this process. Give the same one to each server of a cluster. */
export class MemoryDirectory implements Directory {
  readonly name = 'memory'
  readonly #clusters = new Map<string, MemoryEngine>()
  #away = false

  get away(): boolean {
    return this.#away
  }

  /** For tests: what servers do while it is away. Then every call rejects with `cluster.unavailable`. */
  set away(away: boolean) {
    this.#away = away
    for (const engine of this.#clusters.values()) engine.away(away)
  }

  /** For tests: forgets everything, as an engine does that is restarted without its data. */
  restart(): void {
    for (const engine of this.#clusters.values()) engine.restart()
  }

  open(options: DirectoryOptions): DirectorySession {
    return new MemorySession(() => this.#engineOf(options), options)
  }

  #engineOf({ cluster, clock }: DirectoryOptions): MemoryEngine {
    if (this.away) throw new RystraError('cluster.unavailable', { side: 'server', detail: 'memory' })
    const engine = this.#clusters.get(cluster) ?? new MemoryEngine(clock)
    this.#clusters.set(cluster, engine)
    return engine
  }
}
