import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { crlsIn, plainHex } from '@rystra/tls'
import { X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import type { CertificateFacts } from './certificate.js'
import { checkCrl, type CheckedList } from './crl.js'
import { plainFingerprint } from './rules.js'

/** Files are looked at this often at most, in ms, so that strangers cannot make the server work on them. */
const LOOK_EVERY = 2_000
/** Bytes of a file: some 200 000 entries. Reading them holds the process up for as long as a person notices. */
const LARGEST = 8 << 20

interface CrlFile {
  readonly path: string
  stamp: string
  lists: readonly CheckedList[]
}

const failed = (path: string, error: unknown): RystraError =>
  new RystraError('extension.options', { detail: `${path}: ${(error as Error).message}`, cause: error })

/** What a certificate is not trusted for any more: the list of the options, and revocation lists in files. */
export class Revocation {
  readonly #fingerprints = new Set<string>()
  readonly #serials = new Set<string>()
  readonly #files: readonly CrlFile[]
  #authorities: readonly X509Certificate[] = []
  #looked = Number.NEGATIVE_INFINITY
  #reading: Promise<void> | undefined

  /** @param revoked Fingerprints of 64 digits, with or without `sha256:`, and serial numbers. */
  constructor(
    revoked: readonly string[],
    crl: readonly string[],
    private readonly ca: readonly string[],
    private readonly log: Logger,
    private readonly clock: Clock
  ) {
    for (const text of revoked) {
      const fingerprint = plainFingerprint(text)
      if (!text.startsWith('serial:') && fingerprint.length === 64) this.#fingerprints.add(fingerprint)
      else if (!text.startsWith('sha256:')) this.#serials.add(plainHex(text.replace(/^serial:/, '')))
      else throw new RystraError('extension.options', { detail: `revoked: ${text} does not have 64 digits` })
    }
    if (crl.length > 0 && ca.length === 0) {
      throw new RystraError('extension.options', { detail: 'crl needs ca: the authorities that sign the lists' })
    }
    this.#files = crl.map((path) => ({ path, stamp: '', lists: [] }))
  }

  /** Reads every file. @throws {RystraError} `extension.options` for the first that is not good */
  async load(): Promise<void> {
    this.#looked = this.clock.now()
    this.#authorities = (await Promise.all(this.ca.map(readAuthorities))).flat()
    for (const file of this.#files) await this.#read(file)
  }

  /** Reads files again that have changed; `undefined` when there is nothing to wait for. Never rejects. */
  refresh(): Promise<void> | undefined {
    if (this.#files.length === 0) return undefined
    if (this.#reading === undefined && Math.abs(this.clock.now() - this.#looked) >= LOOK_EVERY) {
      this.#looked = this.clock.now()
      this.#reading = this.#reload().finally(() => {
        this.#reading = undefined
      })
    }
    return this.#reading
  }

  /** Why a certificate is not trusted, in words for the log; `undefined` when nothing is said against it. */
  objection({ x509, fingerprint, serial }: CertificateFacts): string | undefined {
    if (this.#fingerprints.has(fingerprint)) return 'its fingerprint is in `revoked`'
    if (this.#serials.has(serial)) return 'its serial number is in `revoked`'
    for (const { path, lists } of this.#files) {
      for (const { authority, serials, nextUpdate } of lists) {
        if (!x509.checkIssued(authority) || !x509.verify(authority.publicKey)) continue
        if (serials.has(serial)) return `${path} says that it was revoked`
        // Who can keep the new list away could use a certificate that was revoked.
        if (nextUpdate < this.clock.now()) return `${path} has run out on ${new Date(nextUpdate).toISOString()}`
      }
    }
    return undefined
  }

  async #reload(): Promise<void> {
    for (const file of this.#files) {
      await this.#read(file).catch((error: Error) => this.log.warn(`what was read before holds: ${error.message}`))
    }
  }

  async #read(file: CrlFile): Promise<void> {
    try {
      const { mtimeMs, size, ino } = await stat(file.path)
      const stamp = `${mtimeMs} ${size} ${ino}`
      if (stamp === file.stamp) return
      if (size > LARGEST) throw new Error(`it has ${size} bytes; ${LARGEST} are the most`)
      const lists = crlsIn(await readFile(file.path)).map((der) => checkCrl(der, this.#authorities))
      if (lists.length === 0) throw new Error('there is no revocation list in it')
      for (const { nextUpdate } of lists) this.#warnOfAge(file.path, nextUpdate)
      file.lists = lists
      file.stamp = stamp
    } catch (error) {
      throw failed(file.path, error)
    }
  }

  #warnOfAge(path: string, nextUpdate: number): void {
    if (nextUpdate >= this.clock.now()) return
    this.log.warn(`${path} has run out: nobody with a certificate of its authority is let in until there is a new one`)
  }
}

const readAuthorities = async (path: string): Promise<X509Certificate[]> => {
  try {
    const text = await readFile(path, 'latin1')
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0) throw new Error('there is no certificate in it')
    const certificates = blocks.map((block) => new X509Certificate(block))
    if (!certificates.every(({ ca }) => ca)) throw new Error('a certificate in it is of no authority')
    return certificates
  } catch (error) {
    throw failed(path, error)
  }
}
