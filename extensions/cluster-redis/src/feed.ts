import type { DirectoryMember, DirectoryRow, DirectoryWatcher, Logger } from '@rystra/plugin'
import type { Engine } from './engine.js'
import * as scripts from './scripts.js'
import { memberOf, rowOf, type NumberedChange, numberedOf } from './text.js'

/** Changes that may wait while a snapshot is read; more, and another snapshot is taken. */
const MAX_WAITING = 100_000

/** Follows the changes of one cluster: a snapshot, then each change once and in order, and a snapshot again after a gap. */
export class Feed {
  readonly #engine: Engine
  readonly #log: Logger
  #watcher: DirectoryWatcher | undefined
  /** Number of the last change that the watcher has. */
  #last = 0
  /** Changes that came while a snapshot is read. */
  #waiting: NumberedChange[] | undefined
  #reading: Promise<void> | undefined
  /** Changes were missed that the last snapshot does not have. */
  #stale = false

  constructor(engine: Engine, log: Logger) {
    this.#engine = engine
    this.#log = log
  }

  async watch(watcher: DirectoryWatcher): Promise<void> {
    if (this.#watcher === undefined) await this.#engine.subscribe((message) => this.#received(message))
    this.#watcher = watcher
    await this.#read()
  }

  stop(): void {
    this.#watcher = undefined
  }

  /** The engine has made so many changes. Those that did not arrive in the meantime are lost. */
  check(sequence: number, since: number): void {
    if (this.#watcher === undefined || this.#waiting !== undefined) return
    // Lower: it was restarted without its data.
    if (this.#stale || sequence < this.#last || this.#last < since) this.#readAgain()
  }

  #received(message: string): void {
    let numbered: NumberedChange
    try {
      numbered = numberedOf(message)
    } catch (error) {
      this.#log.warn({ err: error }, 'a message of the engine is ignored')
      return
    }
    if (this.#waiting === undefined) this.#apply(numbered)
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(numbered)
  }

  #apply({ sequence, change }: NumberedChange): void {
    // It came twice.
    if (sequence <= this.#last) return
    const isNext = sequence === this.#last + 1
    this.#last = sequence
    if (!isNext) this.#readAgain()
    // True with a gap before it as well: rows and members have numbers of their own. A row that is claimed again and again, and evicted
    // again, may be in no snapshot.
    this.#tell((watcher) => watcher.change(change))
  }

  #readAgain(): void {
    this.#stale = true
    if (this.#reading !== undefined) return
    this.#read().catch((err: unknown) => this.#log.debug({ err }, 'the directory could not be read'))
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readAll().then(
      () => {
        this.#reading = undefined
        if (this.#stale) this.#readAgain()
      },
      (error: unknown) => {
        this.#reading = undefined
        this.#stale = true
        throw error
      }
    )
    return this.#reading
  }

  async #readAll(): Promise<void> {
    const waiting: NumberedChange[] = []
    this.#waiting = waiting
    this.#stale = false
    try {
      const [sequence, ...named] = texts(await this.#engine.run(scripts.members))
      const members: DirectoryMember[] = []
      for (let at = 0; at < named.length; at += 2) {
        members.push(...this.#understood(() => memberOf(named[at] ?? '', named[at + 1] ?? '')))
      }
      const rows: DirectoryRow[] = []
      for (const { instance } of members) rows.push(...(await this.#rowsOf(instance)))
      this.#last = Number(sequence)
      this.#tell((watcher) => watcher.snapshot({ members, rows }))
    } finally {
      this.#waiting = undefined
    }
    for (const numbered of waiting) this.#apply(numbered)
  }

  async #rowsOf(instance: string): Promise<DirectoryRow[]> {
    const rows: DirectoryRow[] = []
    let cursor = '0'
    do {
      const [next = '0', ...raws] = texts(await this.#engine.run(scripts.rows, instance, cursor))
      cursor = next
      for (const raw of raws)
        rows.push(...this.#understood(() => rowOf(raw)).filter((row) => row.instance === instance))
    } while (cursor !== '0')
    return rows
  }

  #understood<Thing>(read: () => Thing): Thing[] {
    try {
      return [read()]
    } catch (error) {
      this.#log.warn({ err: error }, 'something in the engine is ignored')
      return []
    }
  }

  #tell(tell: (watcher: DirectoryWatcher) => void): void {
    if (this.#watcher === undefined) return
    try {
      tell(this.#watcher)
    } catch (error) {
      this.#log.error({ err: error }, 'a change of the directory could not be used')
    }
  }
}

/** The answer of a script that answers with texts. */
const texts = (answer: unknown): string[] => (Array.isArray(answer) ? answer.map(String) : [])
