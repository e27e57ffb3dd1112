import { checkKeyPair } from '@rystra/tls'
import type { CertificatePair, Logger, StateFolder } from '@rystra/plugin'
import { createHash, createPrivateKey } from 'node:crypto'
import type { AttemptsRecord } from './attempts.js'

/** An account at an authority. */
export interface Account {
  /** Private key, PEM. */
  readonly key: string
  /** Absent until the authority knows the key. */
  readonly url?: string
  readonly email?: string
}

/** What has to fit into the state folder for an order: a certificate with its issuers, and its key. */
const SPACE_BYTES = 32 * 1024

const KEY_BEGINS = '-----BEGIN PRIVATE KEY-----'

const short = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24)

const stringIn = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** Files of one authority in the state folder: those of another authority are never used in their place. */
export class Store {
  readonly #state: StateFolder
  readonly #log: Logger
  readonly #directory: string

  constructor(state: StateFolder, log: Logger, directory: string) {
    this.#state = state
    this.#log = log
    this.#directory = short(directory)
  }

  async account(): Promise<Account | undefined> {
    const file = `account-${this.#directory}.json`
    const text = await this.#state.read(file)
    if (text === undefined) return undefined
    try {
      const { key, url, email } = JSON.parse(text.toString('utf8')) as Record<string, unknown>
      createPrivateKey(String(key))
      const [there, mail] = [stringIn(url), stringIn(email)]
      return {
        key: String(key),
        ...(there === undefined ? {} : { url: there }),
        ...(mail === undefined ? {} : { email: mail })
      }
    } catch {
      this.#log.warn({ file }, 'the file of the account is damaged: a new account is made')
      return undefined
    }
  }

  /** Rejects with `extension.state`. */
  async saveAccount(account: Account): Promise<void> {
    await this.#state.write(`account-${this.#directory}.json`, JSON.stringify(account))
  }

  /** The certificate of a host; `undefined` without a file, or with a damaged one. */
  async certificate(host: string): Promise<CertificatePair | undefined> {
    const file = this.#fileOf(host)
    const text = (await this.#state.read(file))?.toString('utf8')
    if (text === undefined) return undefined
    try {
      const { leaf } = checkKeyPair(text, text, file, file)
      if (leaf.checkHost(host) === undefined) throw new Error('it is for another host')
      return { cert: text.slice(0, text.indexOf(KEY_BEGINS)), key: text.slice(text.indexOf(KEY_BEGINS)) }
    } catch (err) {
      this.#log.warn({ err, file, host }, 'the certificate in this file cannot be used: a new one is ordered')
      return undefined
    }
  }

  /** Certificate and key share one file, so that they always match. Rejects with `extension.state`. */
  async saveCertificate(host: string, { cert, key }: CertificatePair): Promise<void> {
    await this.#state.write(this.#fileOf(host), `${cert.trim()}\n${key.trim()}\n`)
  }

  /**
   * Held while a certificate of a host is ordered: of several processes with this folder one orders. `undefined` while another
   * does. Rejects with `extension.state`.
   */
  lockOrder(host: string, ms: number): Promise<(() => Promise<void>) | undefined> {
    return this.#state.lock(`order-${this.#directory}-${short(host)}.lock`, ms)
  }

  /** Whether what is ordered can be kept: an order that is lost counts at the authority. Rejects with `extension.state`. */
  async checkSpace(): Promise<void> {
    const file = `space-${this.#directory}`
    await this.#state.write(file, Buffer.alloc(SPACE_BYTES))
    await this.#state.remove(file)
  }

  /** Record of failed orders, as it was written. */
  async attempts(): Promise<unknown> {
    try {
      const text = await this.#state.read(`attempts-${this.#directory}.json`)
      return text === undefined ? undefined : JSON.parse(text.toString('utf8'))
    } catch (err) {
      this.#log.warn({ err }, 'the record of failed orders cannot be read')
      return undefined
    }
  }

  async saveAttempts(record: AttemptsRecord): Promise<void> {
    await this.#state.write(`attempts-${this.#directory}.json`, JSON.stringify(record))
  }

  #fileOf(host: string): string {
    return `certificate-${this.#directory}-${short(host)}.pem`
  }
}
