import { type Clock, type Identity, type Logger, RystraError } from '@rystra/plugin'
import { randomBytes } from 'node:crypto'
import { type TokenKeys, tokenKeys } from './keys.js'
import type { TokenEntry } from './options.js'
import { TokenSource } from './source.js'

/** Files are looked at this often at most, in ms, so that strangers cannot make the server work on them. */
const LOOK_EVERY = 1_000

/** A token that a server knows. */
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

/** Every token that a server knows, by the id of the token. */
export class Keyring {
  /** Stands in for tokens that are not known, so that looking one up takes as long. Fits nothing. */
  readonly nobody: TokenKeys = tokenKeys(randomBytes(32).toString('hex'))
  readonly #entries: readonly { identity: Identity; source: TokenSource; isFor: Key['isFor'] }[]
  readonly #hasFiles: boolean
  #keys: ReadonlyMap<string, Key> = new Map()
  #looked = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  /** @throws {RystraError} `extension.options` for tokens that are blank, given twice, or not given. */
  constructor(
    entries: readonly TokenEntry[],
    private readonly log: Logger,
    private readonly clock: Clock,
    where = (index: number): string => `tokens[${index}]`
  ) {
    this.#entries = entries.map(({ identity, rights, token, file, once }, index) => ({
      isFor: once === true ? firstClient() : anyClient,
      identity: { id: identity, ...(rights === undefined ? {} : { rights }) },
      source: new TokenSource(where(index), token, file, log)
    }))
    this.#hasFiles = this.#entries.some(({ source }) => source.file !== undefined)
    this.#keys = this.#index()
  }

  /** Reads every file. @throws {RystraError} `extension.options` for the first that cannot be read */
  async load(): Promise<void> {
    this.#looked = this.clock.now()
    for (const { source } of this.#entries) await source.read()
    this.#keys = this.#index()
  }

  /** Reads files again that have changed; `undefined` when there is nothing to wait for. Never rejects. */
  refresh(): Promise<void> | undefined {
    if (!this.#hasFiles) return undefined
    if (this.#reading === undefined && Math.abs(this.clock.now() - this.#looked) >= LOOK_EVERY) {
      this.#looked = this.clock.now()
      this.#reading = this.#reload().finally(() => {
        this.#reading = undefined
      })
    }
    return this.#reading
  }

  /** One file that is broken must not keep a change of another from counting. */
  async #reload(): Promise<void> {
    const warn = (error: Error): void => this.log.warn(`what was read before holds: ${error.message}`)
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

  #index(): ReadonlyMap<string, Key> {
    const keys = new Map<string, Key>()
    const places = new Map<string, string>()
    for (const { identity, source, isFor } of this.#entries) {
      if (source.token === undefined) continue
      const made = tokenKeys(source.token)
      const id = made.id.toString('hex')
      const other = places.get(id)
      if (other !== undefined) {
        throw new RystraError('extension.options', { detail: `${source.where} is the same token as ${other}` })
      }
      places.set(id, source.where)
      keys.set(id, { identity, keys: made, isFor })
    }
    return keys
  }
}
