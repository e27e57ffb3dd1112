import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { decodeJwt } from 'jose'
import { readFile, stat } from 'node:fs/promises'
import { isToken, LONGEST_TOKEN } from './proof.js'

const bad = (detail: string, cause?: unknown): RystraError => new RystraError('extension.options', { detail, cause })

/** Where the token of a client comes from. */
export class TokenSource {
  #token: string | undefined

  /** @throws {RystraError} `extension.options` for a token that is none */
  constructor(
    token: string | undefined,
    private readonly file: string | undefined,
    private readonly log: Logger,
    private readonly clock: Clock
  ) {
    if (token !== undefined) this.#token = checked(token, 'token')
  }

  /** Reads the file. @throws {RystraError} `extension.options` when it cannot be read, or holds no token */
  async load(): Promise<void> {
    const { file } = this
    if (file === undefined) return
    try {
      const { size } = await stat(file)
      if (size > 2 * LONGEST_TOKEN) throw bad(`file: it has ${size} bytes; a token has ${LONGEST_TOKEN} at most`)
      this.#token = checked(await readFile(file, 'utf8'), 'file')
    } catch (error) {
      if (error instanceof RystraError) throw error
      throw bad(`file: ${(error as Error).message}`, error)
    }
  }

  /** The token for the next handshake. The file is read each time: short-lived tokens are replaced often. */
  async current(): Promise<string> {
    await this.load().catch((error: Error) => this.log.warn(`the token was not read again: ${error.message}`))
    if (this.#token === undefined) throw bad('the token was not read')
    this.#warnOfAge(this.#token)
    return this.#token
  }

  /** The server says no more than that it refuses; this side can see why. */
  #warnOfAge(token: string): void {
    let exp: number | undefined
    try {
      exp = decodeJwt(token).exp
    } catch {
      this.log.warn('the payload of the token cannot be read; the server will hardly take it')
    }
    if (typeof exp !== 'number' || exp * 1000 > this.clock.now()) return
    const since = new Date(exp * 1000)
    const when = Number.isNaN(since.getTime()) ? 'long ago' : `on ${since.toISOString()}`
    this.log.warn(`the token has expired ${when}; the server will refuse it unless it is renewed`)
  }
}

const checked = (text: string, where: string): string => {
  const token = text.trim()
  if (token.length > LONGEST_TOKEN) {
    throw bad(`${where}: the token has ${token.length} characters; ${LONGEST_TOKEN} are the most`)
  }
  if (!isToken(token)) throw bad(`${where} holds no JSON Web Token`)
  return token
}
