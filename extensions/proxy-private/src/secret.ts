import { fileText, PacedWork, plainSecret, ReloadedFile } from '@rystra/limits'
import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { scrypt } from 'node:crypto'

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
  /** Name of the service: one secret gives different keys for two services. */
  readonly #name: string
  readonly #log: Logger
  readonly #file: ReloadedFile<Buffer> | undefined
  readonly #reading: PacedWork<Buffer>
  #given: Buffer | undefined

  constructor({ secret, secretFile }: SecretFields, name: string, clock: Clock, log: Logger) {
    this.#name = name
    this.#log = log
    if (secretFile !== undefined) {
      this.#file = new ReloadedFile(secretFile, {
        parse: (bytes) => this.#made(fileText(bytes)),
        onShared: () => log.warn(`${secretFile} is accessible to other users; set its mode to 600`)
      })
    }
    this.#reading = new PacedWork(CHECK_INTERVAL_MS, clock, () => this.#read(secret))
  }

  get #known(): Buffer | undefined {
    return this.#file === undefined ? this.#given : this.#file.content
  }

  /**
   * The key, synchronously when it is known and there is no file to check.
   * @throws {RystraError} `proxy.invalid` without a key, because the file is unreadable or blank
   */
  get key(): Buffer | Promise<Buffer> {
    const known = this.#known
    if (known === undefined) return this.#reading.now()
    return (this.#file && this.#reading.due()) ?? known
  }

  async #read(secret = ''): Promise<Buffer> {
    const file = this.#file
    try {
      if (file === undefined) this.#given = await this.#made(secret)
      else await file.read()
      return this.#known as Buffer
    } catch (cause) {
      const error = this.#errorOf(cause)
      const known = this.#known
      if (known === undefined) throw error
      this.#log.warn({ err: error }, 'keeping the previous secret')
      return known
    }
  }

  #errorOf(cause: unknown): RystraError {
    if (cause instanceof RystraError) return cause
    const { code, message } = cause as NodeJS.ErrnoException
    const field = this.#file === undefined ? 'secret' : 'secretFile'
    const detail = `${field} of ${this.#name}: ${'syscall' in (cause as object) ? code : message}`
    return new RystraError('proxy.invalid', { side: 'client', detail, cause })
  }

  async #made(text: string): Promise<Buffer> {
    const secret = plainSecret(text)
    if (secret === '') {
      throw new RystraError('proxy.invalid', { side: 'client', detail: `secret of ${this.#name}: empty` })
    }
    if (secret.length < MIN_LENGTH) {
      this.#log.warn(`secret of ${this.#name}: shorter than ${MIN_LENGTH} characters; a server could guess it`)
    }
    return stretch(secret, this.#name)
  }
}
