import { type Logger, toRystraError } from '@rystra/model'
import type { StateFolder } from '@rystra/plugin'
import type { PushRecord } from './pushed-proxy.js'

const FILE = 'pushed-proxies.json'

/** Set aside, so that the next write does not lose what is in it. */
const BROKEN = `${FILE}.broken`

const isRecord = (value: unknown): value is PushRecord => {
  const { owner, spec } = (value ?? {}) as { owner?: Record<string, unknown>; spec?: Record<string, unknown> }
  const texts = [owner?.['identity'], owner?.['client'], spec?.['name'], spec?.['kind']]
  return texts.every((text) => typeof text === 'string')
}

/** Pushed proxies that outlast the process, in one file of the state folder. */
export class PushStore {
  readonly #folder: StateFolder
  readonly #log: Logger
  #last: Promise<void> = Promise.resolve()

  constructor(folder: StateFolder, log: Logger) {
    this.#folder = folder
    this.#log = log
  }

  /** What was kept. A file that cannot be read is logged, and set aside. */
  async read(): Promise<readonly PushRecord[]> {
    let content: Buffer | undefined
    try {
      content = await this.#folder.read(FILE)
      if (content === undefined) return []
      const { proxies } = JSON.parse(content.toString()) as { proxies: unknown[] }
      const known = proxies.filter(isRecord)
      if (known.length === proxies.length) return known
      throw new TypeError('a record of another form')
    } catch (error) {
      this.#log.error({ err: toRystraError(error), file: FILE }, 'proxies that were added to clients are not known')
      if (content !== undefined) await this.#folder.write(BROKEN, content).catch(() => {})
      return []
    }
  }

  /** One write after the other. Rejects with `extension.state`. */
  write(records: () => readonly PushRecord[]): Promise<void> {
    const written = this.#last.then(() => this.#folder.write(FILE, JSON.stringify({ proxies: records() })))
    this.#last = written.catch(() => {})
    return written
  }
}
