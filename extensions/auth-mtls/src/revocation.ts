import { fileText, PacedWork, readBounded, ReloadedFile } from '@rystra/limits'
import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { crlsIn, plainHex } from '@rystra/tls'
import { X509Certificate } from 'node:crypto'
import type { CertificateFacts } from './certificate.js'
import { checkCrl, type CheckedList } from './crl.js'
import { plainFingerprint } from './rules.js'

/** Minimum time between two checks of the files, so that clients cannot cause work. */
const CHECK_INTERVAL_MS = 2_000
/** Largest file: some 200 000 entries. Parsing it takes a noticeable time. */
const MAX_FILE_BYTES = 8 << 20

const failed = (path: string, error: unknown): RystraError =>
  new RystraError('extension.options', { detail: `${path}: ${(error as Error).message}`, cause: error })

/** Revoked certificates: those of the options, and revocation lists in files. */
export class Revocation {
  readonly #fingerprints = new Set<string>()
  readonly #serials = new Set<string>()
  readonly #files: readonly ReloadedFile<readonly CheckedList[]>[]
  #authorities: readonly X509Certificate[] = []
  readonly #reloading: PacedWork

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
      else throw new RystraError('extension.options', { detail: `revoked: ${text}: expected 64 hexadecimal digits` })
    }
    if (crl.length > 0 && ca.length === 0) {
      throw new RystraError('extension.options', { detail: 'crl requires ca, the authorities that sign the lists' })
    }
    this.#files = crl.map(
      (path) => new ReloadedFile(path, { max: MAX_FILE_BYTES, parse: (bytes) => this.#listsIn(path, bytes) })
    )
    this.#reloading = new PacedWork(CHECK_INTERVAL_MS, clock, () => this.#reload())
  }

  /** Reads all files. @throws {RystraError} `extension.options` for the first invalid one */
  async load(): Promise<void> {
    this.#reloading.skip()
    this.#authorities = (await Promise.all(this.ca.map(readAuthorities))).flat()
    for (const file of this.#files) await this.#read(file)
  }

  /** Reloads changed files; `undefined` when there is nothing to wait for. Never rejects. */
  refresh(): Promise<void> | undefined {
    return this.#files.length === 0 ? undefined : this.#reloading.due()
  }

  /** The reason why a certificate is not trusted, for the log; `undefined` if it is trusted. */
  objection({ x509, fingerprint, serial }: CertificateFacts): string | undefined {
    if (this.#fingerprints.has(fingerprint)) return 'fingerprint is in `revoked`'
    if (this.#serials.has(serial)) return 'serial number is in `revoked`'
    for (const { path, content = [] } of this.#files) {
      for (const { authority, serials, nextUpdate } of content) {
        if (!x509.checkIssued(authority) || !x509.verify(authority.publicKey)) continue
        if (serials.has(serial)) return `revoked by ${path}`
        // An attacker who withholds the new list could use a revoked certificate.
        if (nextUpdate < this.clock.now()) return `${path} expired on ${new Date(nextUpdate).toISOString()}`
      }
    }
    return undefined
  }

  async #reload(): Promise<void> {
    for (const file of this.#files) {
      await this.#read(file).catch((error: Error) => this.log.warn(`keeping the previous list: ${error.message}`))
    }
  }

  async #read(file: ReloadedFile<unknown>): Promise<void> {
    try {
      await file.read()
    } catch (error) {
      throw failed(file.path, error)
    }
  }

  #listsIn(path: string, bytes: Buffer): readonly CheckedList[] {
    const lists = crlsIn(bytes).map((der) => checkCrl(der, this.#authorities))
    if (lists.length === 0) throw new Error('contains no revocation list')
    for (const { nextUpdate } of lists) this.#warnOfAge(path, nextUpdate)
    return lists
  }

  #warnOfAge(path: string, nextUpdate: number): void {
    if (nextUpdate >= this.clock.now()) return
    this.log.warn(`${path} has expired: certificates of its authority are refused until it is renewed`)
  }
}

const readAuthorities = async (path: string): Promise<X509Certificate[]> => {
  try {
    const text = fileText((await readBounded(path, MAX_FILE_BYTES)).bytes)
    const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []
    if (blocks.length === 0) throw new Error('contains no certificate')
    const certificates = blocks.map((block) => new X509Certificate(block))
    if (!certificates.every(({ ca }) => ca)) throw new Error('contains a certificate that is not an authority')
    return certificates
  } catch (error) {
    throw failed(path, error)
  }
}
