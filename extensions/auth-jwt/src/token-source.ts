import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { decodeJwt } from 'jose'
import { readFile, stat } from 'node:fs/promises'
import { isToken, MAX_TOKEN_LENGTH } from './proof.js'

const bad = (detail: string, cause?: unknown): RystraError => new RystraError('extension.options', { detail, cause })

/** The source of a client's token. */
export class TokenSource {
  #token: string | undefined

  /** @throws {RystraError} `extension.options` for an invalid token */
  constructor(
    token: string | undefined,
    private readonly file: string | undefined,
    private readonly log: Logger,
    private readonly clock: Clock
  ) {
    if (token !== undefined) this.#token = checked(token, 'token')
  }

  /** Reads the file. @throws {RystraError} `extension.options` when it cannot be read or contains no token */
  async load(): Promise<void> {
    const { file } = this
    if (file === undefined) return
    try {
      const { size } = await stat(file)
      if (size > 2 * MAX_TOKEN_LENGTH) throw bad(`file: ${size} bytes, more than a token of ${MAX_TOKEN_LENGTH}`)
      this.#token = checked(await readFile(file, 'utf8'), 'file')
    } catch (error) {
      if (error instanceof RystraError) throw error
      throw bad(`file: ${(error as Error).message}`, error)
    }
  }

  /** The token for the next handshake. The file is read each time: short-lived tokens are replaced often. */
  async current(): Promise<string> {
    await this.load().catch((error: Error) => this.log.warn(`keeping the previous token: ${error.message}`))
    if (this.#token === undefined) throw bad('token not read')
    this.#warnOfAge(this.#token)
    return this.#token
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
