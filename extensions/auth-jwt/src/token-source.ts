import { fileText, ReloadedFile } from '@rystra/limits'
import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { decodeJwt } from 'jose'
import { isToken, MAX_TOKEN_LENGTH } from './proof.js'

const bad = (detail: string, cause?: unknown): RystraError => new RystraError('extension.options', { detail, cause })

/** The source of a client's token. */
export class TokenSource {
  readonly #given: string | undefined
  readonly #file: ReloadedFile<string> | undefined

  /** @throws {RystraError} `extension.options` for an invalid token */
  constructor(
    token: string | undefined,
    file: string | undefined,
    private readonly log: Logger,
    private readonly clock: Clock
  ) {
    if (token !== undefined) this.#given = checked(token, 'token')
    if (file !== undefined) {
      const parse = (bytes: Buffer): string => checked(fileText(bytes), 'file')
      this.#file = new ReloadedFile(file, { max: 2 * MAX_TOKEN_LENGTH, parse })
    }
  }

  /** Reads the file if it has changed. @throws {RystraError} `extension.options` when it cannot be read or contains no token */
  async load(): Promise<void> {
    try {
      await this.#file?.read()
    } catch (error) {
      if (error instanceof RystraError) throw error
      throw bad(`file: ${(error as Error).message}`, error)
    }
  }

  /** The token for the next handshake. The file is checked each time: short-lived tokens are replaced often. */
  async current(): Promise<string> {
    await this.load().catch((error: Error) => this.log.warn(`keeping the previous token: ${error.message}`))
    const token = this.#given ?? this.#file?.content
    if (token === undefined) throw bad('token not read')
    this.#warnOfAge(token)
    return token
  }

  /** The server's refusal gives no reason; the client can determine it. */
  #warnOfAge(token: string): void {
    let exp: number | undefined
    try {
      exp = decodeJwt(token).exp
    } catch {
      this.log.warn('malformed token payload; the server will refuse it')
    }
    if (typeof exp !== 'number' || exp * 1000 > this.clock.now()) return
    const since = new Date(exp * 1000)
    const when = Number.isNaN(since.getTime()) ? 'long ago' : `on ${since.toISOString()}`
    this.log.warn(`the token has expired ${when}: renew it`)
  }
}

const checked = (text: string, where: string): string => {
  const token = text.trim()
  if (token.length > MAX_TOKEN_LENGTH) {
    throw bad(`${where}: token of ${token.length} characters, more than ${MAX_TOKEN_LENGTH}`)
  }
  if (!isToken(token)) throw bad(`${where}: not a JSON Web Token`)
  return token
}
