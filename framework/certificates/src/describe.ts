import { addressOfBytes } from '@rystra/address'
import { RystraError } from '@rystra/model'
import { createHash, type KeyObject, X509Certificate } from 'node:crypto'
import { type Asn1, bytesOf, decode, extensionsOf, oidOf, partsOf } from './der.js'
import { oids } from './oids.js'
import { certificatesOf } from './pem.js'

/** SHA-256 over the DER of a certificate, as it is pinned: `sha256:` and 64 lower-case hex digits. */
export const fingerprintOf = (certificate: X509Certificate | Uint8Array | string): string => {
  const parsed = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate
  const der = parsed instanceof Uint8Array ? parsed : parsed.raw
  return `sha256:${createHash('sha256').update(der).digest('hex')}`
}

/** What is in a certificate. Nothing of it was verified; control characters are shown as `\x1b`. */
export interface CertificateDescription {
  /** All of it, `CN=example.org, O=Example`. */
  readonly subject: string
  readonly issuer: string
  /** DNS names and IP addresses as they are, others as `email:…`, `uri:…`, `other:…`. */
  readonly names: readonly string[]
  /** Lower-case hex. */
  readonly serial: string
  /** ISO 8601. */
  readonly notBefore: string
  readonly notAfter: string
  /** Whole days until `notAfter`; negative when that has passed. */
  readonly daysLeft: number
  readonly state: 'valid' | 'expired' | 'not-yet-valid'
  /** `rsa 2048`, `ec prime256v1`, `ed25519`. */
  readonly key: string
  /** `digitalSignature`, `serverAuth` and the like: for what it may be used. */
  readonly usages: readonly string[]
  /** Whether it may sign others. */
  readonly authority: boolean
  readonly selfSigned: boolean
  /** See {@link fingerprintOf}. */
  readonly fingerprint: string
}

const DAY_MS = 86_400_000

const printable = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\u00ad\u180e\u200b\u2060-\u2069\ufeff]/gu, (char) => {
    const code = char.charCodeAt(0)
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })

const lines = (text: string | undefined): string => printable((text ?? '').replaceAll('\n', ', '))

const keyOf = (key: KeyObject): string => {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = key
  const size = details?.modulusLength ?? details?.namedCurve
  return size === undefined ? type : `${type} ${size}`
}

const address = (bytes: Buffer): string =>
  bytes.length === 4 || bytes.length === 16 ? addressOfBytes(bytes) : `other:${bytes.toString('hex')}`

const nameOf = (node: Asn1): string => {
  const bytes = bytesOf(node)
  const text = printable(bytes.toString('latin1'))
  const kinds = new Map<number, () => string>([
    [1, () => `email:${text}`],
    [2, () => text],
    [6, () => `uri:${text}`],
    [7, () => address(bytes)]
  ])
  return kinds.get(node.type as number)?.() ?? `other:${node.type}`
}

const usageNames = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'crlSign',
  'encipherOnly',
  'decipherOnly'
]
const purposeNames: Readonly<Record<string, string>> = {
  [oids.serverAuth]: 'serverAuth',
  [oids.clientAuth]: 'clientAuth'
}

/** Bits of a bit string, from the first on. */
const flags = (bytes: Buffer): string[] =>
  usageNames.filter((_, index) => ((bytes[1 + (index >> 3)] ?? 0) & (0x80 >> (index & 7))) !== 0)

/** What the extensions say; a certificate that is made oddly shows less, not an error. */
const details = (certificate: X509Certificate): { names: string[]; usages: string[] } => {
  try {
    const [tbs] = partsOf(decode(certificate.raw))
    const list = partsOf(tbs).find((part) => part.tagClass === 0x80 && part.type === (3 as number))
    const extensions = extensionsOf(partsOf(list)[0])
    const value = (id: string): Asn1 | undefined => extensions.get(id)?.value
    return {
      names: partsOf(value(oids.subjectAltName)).map(nameOf),
      usages: [
        ...flags(bytesOf(value(oids.keyUsage))),
        ...partsOf(value(oids.extKeyUsage)).map((one) => purposeNames[oidOf(one)] ?? oidOf(one))
      ]
    }
  } catch {
    return { names: [], usages: [] }
  }
}

const describe = (certificate: X509Certificate, now: number): CertificateDescription => {
  const from = Date.parse(certificate.validFrom)
  const to = Date.parse(certificate.validTo)
  return {
    subject: lines(certificate.subject),
    issuer: lines(certificate.issuer),
    ...details(certificate),
    serial: certificate.serialNumber.toLowerCase(),
    notBefore: new Date(from).toISOString(),
    notAfter: new Date(to).toISOString(),
    daysLeft: Math.floor((to - now) / DAY_MS),
    state: now > to ? 'expired' : now < from ? 'not-yet-valid' : 'valid',
    key: keyOf(certificate.publicKey),
    authority: certificate.ca,
    selfSigned: certificate.subject === certificate.issuer && certificate.verify(certificate.publicKey),
    fingerprint: fingerprintOf(certificate)
  }
}

/** Every certificate of a PEM text, in its order, as of `now` (ms). Throws `tls.files` without a readable one. */
export const describeCertificate = (pem: string, now: number = Date.now()): CertificateDescription[] => {
  const all = certificatesOf(pem)
  if (all.length === 0) throw new RystraError('tls.files', { detail: 'no certificate (PEM) in it' })
  return all.map((one, index) => {
    try {
      return describe(new X509Certificate(one), now)
    } catch (cause) {
      const which = all.length === 1 ? 'the certificate' : `certificate ${index + 1}`
      throw new RystraError('tls.files', { detail: `${which} cannot be read: ${(cause as Error).message}`, cause })
    }
  })
}
