import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { scrypt } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'

/** A file is looked at this often at most, in ms, so that visitors cannot make a client work on it. */
const LOOK_EVERY = 1_000

/** Below this a server could guess it from what it sees of one visit. 16 random characters hold out. */
const SHORTEST = 16

/** Some 40 ms and 16 MiB for each guess of who tries them all; once for each entry here. RFC 7914. */
const COST = { N: 16_384, r: 8, p: 1 }

const stretch = (secret: string, name: string): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    scrypt(secret, `rystra private v1 ${name}`, 32, COST, (error, key) =>
      error === null ? resolve(key) : reject(error)
    )
  })

/** Where the secret of an entry comes from. */
export interface SecretFields {
  readonly secret?: string | undefined
  /** Absolute. */
  readonly secretFile?: string | undefined
}

/** The key that an entry's secret becomes. */
export class Secret {
  readonly #fields: SecretFields
  /** Of the service: one secret for two services gives two keys. */
  readonly #name: string
  readonly #clock: Clock
  readonly #log: Logger
  #key: Buffer | undefined
  #stamp = ''
  #looked = Number.NEGATIVE_INFINITY
  #reading: Promise<Buffer> | undefined

  constructor(fields: SecretFields, name: string, clock: Clock, log: Logger) {
    this.#fields = fields
    this.#name = name
    this.#clock = clock
    this.#log = log
  }

  /**
   * The key; at once when it is known and there is no file to look at.
   * @throws {RystraError} `proxy.invalid` when there is none yet, because the file cannot be read or is blank
   */
  get key(): Buffer | Promise<Buffer> {
    const known = this.#key
    if (this.#reading !== undefined) return this.#reading
    const fresh = this.#fields.secretFile === undefined || this.#clock.now() - this.#looked < LOOK_EVERY
    if (known !== undefined && fresh) return known
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #read(): Promise<Buffer> {
    const { secret, secretFile } = this.#fields
    this.#looked = this.#clock.now()
    try {
      this.#key = secretFile === undefined ? await this.#made(secret ?? '') : await this.#fromFile(secretFile)
    } catch (error) {
      if (this.#key === undefined) throw error
      this.#log.warn({ err: error }, 'the secret that was read before holds')
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
        this.#log.warn(`others on this machine may read or change ${file}; chmod 600 it`)
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
      throw new RystraError('proxy.invalid', { side: 'client', detail: `the secret of ${this.#name} is empty` })
    }
    if (secret.length < SHORTEST) {
      this.#log.warn(`the secret of ${this.#name} is shorter than ${SHORTEST} characters; a server could guess it`)
    }
    return stretch(secret, this.#name)
  }
}
