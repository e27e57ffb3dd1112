import { PacedWork } from '@rystra/limits'
import { type Clock, type Identity, type Logger, RystraError } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { type TokenKeys, tokenKeys } from './keys.js'
import type { TokenEntry } from './options.js'
import { TokenSource } from './source.js'

/** Minimum time between two checks of the files, so that clients cannot cause work. */
const CHECK_INTERVAL_MS = 1_000

/** A token of a server. */
export interface Key {
  readonly identity: Identity
  readonly keys: TokenKeys
  /** For a token of one client: whether it is this one, which a first client becomes. */
  readonly isFor: (clientId: string) => boolean
}

const anyClient = (): boolean => true

/** Lives as long as the entry: what is read anew from a file stays bound. */
const firstClient = (): ((clientId: string) => boolean) => {
  let first: string | undefined
  return (clientId) => {
    first ??= clientId
    return first === clientId
  }
}

/** The tokens of a server by token id. */
export class Keyring {
  /** Used for unknown tokens, so that they take the same time to check. Matches no proof. */
  readonly unknown: TokenKeys = tokenKeys(randomBytes(32).toString('hex'))
  readonly #entries: readonly { identity: Identity; source: TokenSource; isFor: Key['isFor'] }[]
  readonly #hasFiles: boolean
  #keys: ReadonlyMap<string, Key> = new Map()
  readonly #reloading: PacedWork

  /** @throws {RystraError} `extension.options` for tokens that are blank, given twice, or not given. */
  constructor(
    entries: readonly TokenEntry[],
    private readonly log: Logger,
    clock: Clock,
    where = (index: number): string => `tokens[${index}]`
  ) {
    this.#entries = entries.map(({ identity, rights, token, file, once }, index) => ({
      isFor: once === true ? firstClient() : anyClient,
      identity: { id: identity, ...(rights === undefined ? {} : { rights }) },
      source: new TokenSource(where(index), token, file, log)
    }))
    this.#hasFiles = this.#entries.some(({ source }) => source.isFile)
    this.#keys = this.#index()
    this.#reloading = new PacedWork(CHECK_INTERVAL_MS, clock, () => this.#reload())
  }

  /** Reads every file. @throws {RystraError} `extension.options` for the first that cannot be read */
  async load(): Promise<void> {
    this.#reloading.skip()
    for (const { source } of this.#entries) await source.read()
    this.#keys = this.#index()
  }

  /** Reloads changed files; `undefined` when there is nothing to wait for. Never rejects. */
  refresh(): Promise<void> | undefined {
    return this.#hasFiles ? this.#reloading.due() : undefined
  }

  /** A broken file must not prevent changes of another. */
  async #reload(): Promise<void> {
    const warn = (error: Error): void => this.log.warn(`keeping the previous token: ${error.message}`)
    for (const { source } of this.#entries) await source.read().catch(warn)
    try {
      this.#keys = this.#index()
    } catch (error) {
      warn(error as Error)
    }
  }

  find(id: Buffer): Key | undefined {
    return this.#keys.get(id.toString('hex'))
  }

  /** The token of this id; `undefined` when files that were not read yet may have it. */
  review(id: string): Key | 'unknown' | undefined {
    const found = this.#keys.get(id)
    if (found !== undefined) return found
    return this.#entries.some(({ source }) => source.token === undefined) ? undefined : 'unknown'
  }

  #index(): ReadonlyMap<string, Key> {
    const keys = new Map<string, Key>()
    const places = new Map<string, string>()
    for (const { identity, source, isFor } of this.#entries) {
      if (source.token === undefined) continue
      const made = tokenKeys(source.token)
      const id = made.id.toString('hex')
      const other = places.get(id)
      if (other !== undefined) {
        throw new RystraError('extension.options', { detail: `${source.where}: same token as ${other}` })
      }
      places.set(id, source.where)
      keys.set(id, { identity, keys: made, isFor })
    }
    return keys
  }
}
