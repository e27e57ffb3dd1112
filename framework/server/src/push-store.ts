import { type Logger, toRystraError } from '@rystra/model'
import type { StateFolder } from '@rystra/plugin'
import type { PushRecord } from './pushed-proxy.js'

/** Servers of a cluster may share a state folder: each has a file of its own. */
const fileOf = (member: string | undefined): string =>
  member === undefined ? 'pushed-proxies.json' : `pushed-proxies.${member}.json`

const isRecord = (value: unknown): value is PushRecord => {
  const { owner, spec } = (value ?? {}) as { owner?: Record<string, unknown>; spec?: Record<string, unknown> }
  const texts = [owner?.['identity'], owner?.['client'], spec?.['name'], spec?.['kind']]
  return texts.every((text) => typeof text === 'string')
}

/** Pushed proxies that outlast the process, in one file of the state folder. */
export class PushStore {
  readonly #folder: StateFolder
  readonly #file: string
  readonly #log: Logger
  #last: Promise<void> = Promise.resolve()

  /** @param member `server.cluster.name` */
  constructor(folder: StateFolder, log: Logger, member?: string) {
    this.#folder = folder
    this.#file = fileOf(member)
    this.#log = log
  }

  /** What was kept. A file that cannot be read is logged, and set aside. */
  async read(): Promise<readonly PushRecord[]> {
    let content: Buffer | undefined
    try {
      content = await this.#folder.read(this.#file)
      if (content === undefined) return []
      const { proxies } = JSON.parse(content.toString()) as { proxies: unknown[] }
      const known = proxies.filter(isRecord)
      if (known.length === proxies.length) return known
      throw new TypeError('unexpected format of a record')
    } catch (error) {
      this.#log.error(
        { err: toRystraError(error), file: this.#file },
        'proxies that were added to clients cannot be read'
      )
      // Set aside, so that the next write does not lose what is in it.
      if (content !== undefined) await this.#folder.write(`${this.#file}.broken`, content).catch(() => {})
      return []
    }
  }

  /** One write after the other. Rejects with `extension.state`. */
  write(records: () => readonly PushRecord[]): Promise<void> {
    const written = this.#last.then(() => this.#folder.write(this.#file, JSON.stringify({ proxies: records() })))
    this.#last = written.catch(() => {})
    return written
  }
}
