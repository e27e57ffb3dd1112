import { fileText, plainSecret, ReloadedFile } from '@rystra/limits'
import { type Logger, RystraError } from '@rystra/plugin'

/** Shorter tokens can be guessed by an observer of one handshake. */
const MIN_LENGTH = 16

/** The source of one token. */
export class TokenSource {
  readonly #given: string | undefined
  readonly #file: ReloadedFile<string> | undefined

  /**
   * @param where its name in messages: `tokens[2]`
   * @throws {RystraError} `extension.options` unless exactly one of `token` and `file` is given, or when it is blank
   */
  constructor(
    readonly where: string,
    token: string | undefined,
    file: string | undefined,
    private readonly log: Logger
  ) {
    if ((token === undefined) === (file === undefined)) {
      throw new RystraError('extension.options', { detail: `${where}: exactly one of token and file is required` })
    }
    if (token !== undefined) this.#given = this.#checked(token)
    if (file !== undefined) {
      this.#file = new ReloadedFile(file, {
        parse: (bytes) => this.#checked(fileText(bytes)),
        onShared: () => log.warn(`${where}: ${file} is accessible to other users; set its mode to 600`)
      })
    }
  }

  get isFile(): boolean {
    return this.#file !== undefined
  }

  /** `undefined` before the file is read. */
  get token(): string | undefined {
    return this.#given ?? this.#file?.content
  }

  /** Reads the file if it has changed. Throws `extension.options` when it cannot be read or is blank; the previous token stays. */
  async read(): Promise<void> {
    try {
      await this.#file?.read()
    } catch (error) {
      if (error instanceof RystraError) throw error
      throw this.#failed(error)
    }
  }

  #failed(error: unknown): RystraError {
    const file = this.#file === undefined ? '' : `${this.#file.path}: `
    const { message } = error as Error
    // The system names the file itself.
    const detail = message.includes(file) ? message : `${file}${message}`
    return new RystraError('extension.options', { detail: `${this.where}: ${detail}`, cause: error })
  }

  #checked(text: string): string {
    let token: string
    try {
      token = plainSecret(text)
      if (token === '') throw new Error('empty token')
    } catch (error) {
      throw this.#failed(error)
    }
    if (token.length < MIN_LENGTH) {
      this.log.warn(`${this.where}: shorter than ${MIN_LENGTH} characters; an observer could guess it`)
    }
    return token
  }
}
