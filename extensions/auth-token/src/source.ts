import { type Logger, RystraError } from '@rystra/plugin'
import { readFile, stat } from 'node:fs/promises'

/** Shorter tokens can be guessed by an observer of one handshake. */
const MIN_LENGTH = 16

/** The source of one token. */
export class TokenSource {
  #token: string | undefined
  #stamp = ''

  /**
   * @param where its name in messages: `tokens[2]`
   * @throws {RystraError} `extension.options` unless exactly one of `token` and `file` is given, or when it is blank
   */
  constructor(
    readonly where: string,
    token: string | undefined,
    readonly file: string | undefined,
    private readonly log: Logger
  ) {
    if ((token === undefined) === (file === undefined)) {
      throw new RystraError('extension.options', { detail: `${where}: exactly one of token and file is required` })
    }
    if (token !== undefined) this.#token = this.#checked(token)
  }

  /** `undefined` before the file is read. */
  get token(): string | undefined {
    return this.#token
  }

  /**
   * Reads the file if it has changed.
   * @returns whether the token has changed
   * @throws {RystraError} `extension.options` when it cannot be read or is blank; the previous token stays
   */
  async read(): Promise<boolean> {
    const { file } = this
    if (file === undefined) return false
    try {
      const { mtimeMs, size, ino, mode } = await stat(file)
      const stamp = `${mtimeMs} ${size} ${ino}`
      if (stamp === this.#stamp) return false
      const token = this.#checked((await readFile(file, 'utf8')).trim())
      if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
        this.log.warn(`${this.where}: ${file} is accessible to other users; set its mode to 600`)
      }
      const changed = token !== this.#token
      this.#stamp = stamp
      this.#token = token
      return changed
    } catch (error) {
      if (error instanceof RystraError) throw error
      const { message } = error as Error
      throw new RystraError('extension.options', { detail: `${this.where}: ${message}`, cause: error })
    }
  }

  #checked(token: string): string {
    if (token.trim() === '') throw new RystraError('extension.options', { detail: `${this.where}: empty token` })
    if (token.length < MIN_LENGTH) {
      this.log.warn(`${this.where}: shorter than ${MIN_LENGTH} characters; an observer could guess it`)
    }
    return token
  }
}
