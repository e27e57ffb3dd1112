import { type Logger, RystraError } from '@rystra/plugin'
import { readFile, stat } from 'node:fs/promises'

/** Below this a token can be guessed by who has listened to one handshake. 16 random characters hold out. */
const SHORTEST = 16

/** Where one token comes from. */
export class TokenSource {
  #token: string | undefined
  #stamp = ''

  /**
   * @param where names it in messages: `tokens[2]`
   * @throws {RystraError} `extension.options` unless there is exactly one of `token` and `file`, or when it is blank
   */
  constructor(
    readonly where: string,
    token: string | undefined,
    readonly file: string | undefined,
    private readonly log: Logger
  ) {
    if ((token === undefined) === (file === undefined)) {
      throw new RystraError('extension.options', { detail: `${where} needs one of token and file` })
    }
    if (token !== undefined) this.#token = this.#checked(token)
  }

  /** `undefined` before a file was read. */
  get token(): string | undefined {
    return this.#token
  }

  /**
   * Reads the file if it has changed.
   * @returns whether there is another token now
   * @throws {RystraError} `extension.options` when it cannot be read or is blank; the token read before stays
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
        this.log.warn(`${this.where}: others on this machine may read or change ${file}; chmod 600 it`)
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
    if (token.trim() === '') throw new RystraError('extension.options', { detail: `${this.where} is empty` })
    if (token.length < SHORTEST) {
      this.log.warn(`${this.where} is shorter than ${SHORTEST} characters; who listens on the way could guess it`)
    }
    return token
  }
}
