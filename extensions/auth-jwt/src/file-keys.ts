import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { readFile, stat } from 'node:fs/promises'
import type { KeySet, KeySource, KeyWanted } from './keys.js'
import type { Algorithm } from './options.js'

/** Files are looked at this often at most, in ms, so that strangers cannot make the server work on them. */
const LOOK_EVERY = 2_000
/** Bytes: a hundred keys with their certificates. */
const LARGEST = 1 << 20

/** Keys in a file, which is looked at again when it has changed. */
export class FileKeys implements KeySource {
  #keys: KeySet | undefined
  #stamp = ''
  #looked = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  constructor(
    private readonly path: string,
    readonly algorithms: readonly Algorithm[],
    private readonly parse: (text: string) => KeySet,
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  async load(): Promise<void> {
    this.#looked = this.clock.now()
    try {
      const { mtimeMs, size, ino } = await stat(this.path)
      const stamp = `${mtimeMs} ${size} ${ino}`
      if (stamp === this.#stamp) return
      if (size > LARGEST) throw new Error(`it has ${size} bytes; ${LARGEST} are the most`)
      this.#keys = this.parse(await readFile(this.path, 'utf8'))
      this.#stamp = stamp
    } catch (error) {
      throw new RystraError('extension.options', { detail: `${this.path}: ${(error as Error).message}`, cause: error })
    }
  }

  async find(wanted: KeyWanted): ReturnType<KeySet['find']> {
    await this.#refresh()
    if (this.#keys === undefined) throw new Error(`${this.path} was not read`)
    return this.#keys.find(wanted)
  }

  stop(): void {}

  #refresh(): Promise<void> | undefined {
    if (this.#reading === undefined && Math.abs(this.clock.now() - this.#looked) >= LOOK_EVERY) {
      this.#reading = this.load()
        .catch((error: Error) => this.log.warn(`what was read before holds: ${error.message}`))
        .finally(() => {
          this.#reading = undefined
        })
    }
    return this.#reading
  }
}
