import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { scrypt } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'

/** Minimum time between two checks of the file, so that visitors cannot cause work. */
const CHECK_INTERVAL_MS = 1_000

/** Shorter secrets can be guessed by the server after one visit. */
const MIN_LENGTH = 16

/** Cost of a guess: some 40 ms and 16 MiB. RFC 7914. */
const COST = { N: 16_384, r: 8, p: 1 }

const stretch = (secret: string, name: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(secret, `rystra private v1 ${name}`, 32, COST, (error, key) =>
      error === null ? resolve(key) : reject(error)
    )
  })

/** The source of an entry's secret. */
export interface SecretFields {
  readonly secret?: string | undefined
  /** Absolute. */
  readonly secretFile?: string | undefined
}

/** The key derived from an entry's secret. */
export class Secret {
  readonly #fields: SecretFields
  /** Name of the service: one secret gives different keys for two services. */
  readonly #name: string
  readonly #clock: Clock
  readonly #log: Logger
  #key: Buffer | undefined
  #stamp = ''
  #checkedAt = Number.NEGATIVE_INFINITY
  #reading: Promise<Buffer> | undefined

  constructor(fields: SecretFields, name: string, clock: Clock, log: Logger) {
    this.#fields = fields
    this.#name = name
    this.#clock = clock
    this.#log = log
  }

  /**
   * The key, synchronously when it is known and there is no file to check.
   * @throws {RystraError} `proxy.invalid` without a key, because the file is unreadable or blank
   */
  get key(): Buffer | Promise<Buffer> {
    const known = this.#key
    if (this.#reading !== undefined) return this.#reading
    const fresh = this.#fields.secretFile === undefined || this.#clock.now() - this.#checkedAt < CHECK_INTERVAL_MS
    if (known !== undefined && fresh) return known
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(): Promise<Buffer> {
    const { secret, secretFile } = this.#fields
    this.#checkedAt = this.#clock.now()
    try {
      this.#key = secretFile === undefined ? await this.#made(secret ?? '') : await this.#fromFile(secretFile)
    } catch (error) {
      if (this.#key === undefined) throw error
      this.#log.warn({ err: error }, 'keeping the previous secret')
    }
    return this.#key
  }

  async #fromFile(file: string): Promise<Buffer> {
    try {
      const { mtimeMs, size, ino, mode } = await stat(file)
      const stamp = `${mtimeMs} ${size} ${ino}`
      if (stamp === this.#stamp && this.#key !== undefined) return this.#key
      const secret = (await readFile(file, 'utf8')).trim()
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        this.#log.warn(`${file} is accessible to other users; set its mode to 600`)
      }
      const key = await this.#made(secret)
      this.#stamp = stamp
      return key
    } catch (error) {
      if (error instanceof RystraError) throw error
      throw new RystraError('proxy.invalid', {
        side: 'client',
        detail: `secretFile of ${this.#name}: ${(error as NodeJS.ErrnoException).code ?? 'cannot be read'}`,
        cause: error
      })
    }
  }

  #made(secret: string): Promise<Buffer> {
    if (secret.trim() === '') {
      throw new RystraError('proxy.invalid', { side: 'client', detail: `secret of ${this.#name}: empty` })
    }
    if (secret.length < MIN_LENGTH) {
      this.#log.warn(`secret of ${this.#name}: shorter than ${MIN_LENGTH} characters; a server could guess it`)
    }
    return stretch(secret, this.#name)
  }
}
