import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { readFile, stat } from 'node:fs/promises'
import type { KeySet, KeySource, KeyQuery } from './keys.js'
import type { Algorithm } from './options.js'

/** Minimum time between two checks of the file, so that clients cannot cause work. */
const CHECK_INTERVAL_MS = 2_000
/** Largest file: a hundred keys with certificates. */
const MAX_FILE_BYTES = 1 << 20

/** Keys in a file, reloaded when it changes. */
export class FileKeys implements KeySource {
  #keys: KeySet | undefined
  #stamp = ''
  #checkedAt = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(
    private readonly path: string,
    readonly algorithms: readonly Algorithm[],
    private readonly parse: (text: string) => KeySet,
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  async load(): Promise<void> {
    this.#checkedAt = this.clock.now()
    try {
      const { mtimeMs, size, ino } = await stat(this.path)
      const stamp = `${mtimeMs} ${size} ${ino}`
      if (stamp === this.#stamp) return
      if (size > MAX_FILE_BYTES) throw new Error(`${size} bytes, more than ${MAX_FILE_BYTES}`)
      this.#keys = this.parse(await readFile(this.path, 'utf8'))
      this.#stamp = stamp
    } catch (error) {
      throw new RystraError('extension.options', { detail: `${this.path}: ${(error as Error).message}`, cause: error })
    }
  }

  async find(query: KeyQuery): ReturnType<KeySet['find']> {
    await this.#refresh()
    if (this.#keys === undefined) throw new Error(`${this.path}: not read`)
    return this.#keys.find(query)
  }

  stop(): void {}

  #refresh(): Promise<void> | undefined {
    if (this.#reading === undefined && Math.abs(this.clock.now() - this.#checkedAt) >= CHECK_INTERVAL_MS) {
      this.#reading = this.load()
        .catch((error: Error) => this.log.warn(`keeping the previous keys: ${error.message}`))
        .finally(() => {
          this.#reading = undefined
        })
    }
    return this.#reading
  }
}
