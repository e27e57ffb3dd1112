import { fileText, PacedWork, ReloadedFile } from '@rystra/limits'
import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import type { KeySet, KeySource, KeyQuery } from './keys.js'
import type { Algorithm } from './options.js'

/** Minimum time between two checks of the file, so that clients cannot cause work. */
const CHECK_INTERVAL_MS = 2_000

/** Keys in a file, reloaded when it changes. */
export class FileKeys implements KeySource {
  readonly algorithms: readonly Algorithm[]
  readonly #file: ReloadedFile<KeySet>
  readonly #reloading: PacedWork

  constructor(
    path: string,
    algorithms: readonly Algorithm[],
    parse: (text: string) => KeySet,
    log: Logger,
    clock: Clock
  ) {
    this.algorithms = algorithms
    this.#file = new ReloadedFile(path, { parse: (bytes) => parse(fileText(bytes)) })
    this.#reloading = new PacedWork(CHECK_INTERVAL_MS, clock, () =>
      this.load().catch((error: Error) => log.warn(`keeping the previous keys: ${error.message}`))
    )
  }

  async load(): Promise<void> {
    this.#reloading.skip()
    try {
      await this.#file.read()
    } catch (error) {
      const { message } = error as Error
      throw new RystraError('extension.options', { detail: `${this.#file.path}: ${message}`, cause: error })
    }
  }

  async find(query: KeyQuery): ReturnType<KeySet['find']> {
    await this.#reloading.due()
    const { content, path } = this.#file
    if (content === undefined) throw new Error(`${path}: not read`)
    return content.find(query)
  }

  get ids(): ReadonlySet<string> | undefined {
    return this.#file.content?.ids
  }

  stop(): void {}
}
