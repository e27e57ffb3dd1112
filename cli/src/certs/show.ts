import {
  type CertificateDescription,
  certificatesOf,
  checkAuthorities,
  checkCrls,
  checkPair,
  type CrlDescription,
  describeCertificate,
  describeCrls
} from '@rystra/certificates'
import { RystraError } from '@rystra/model'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { parseServerAddress } from '../address.js'
import { type Presented, presentedBy } from './presented.js'
import { readText } from './read.js'

/** A private key in a file: never the key itself. */
export interface ShownKey {
  /** `rsa 2048`; `encrypted` when it cannot be looked into. */
  readonly type: string
  /** Whether it belongs to the first certificate of the file; nothing without a key. */
  readonly belongs?: boolean
}

/** Everything that is there. */
export interface Shown {
  readonly source: string
  readonly certificates: readonly CertificateDescription[]
  readonly crls: readonly CrlDescription[]
  readonly key?: ShownKey
  readonly tls?: Omit<Presented, 'pem'>
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

const keyPattern = /-----BEGIN ((?:[A-Z]+ )*)PRIVATE KEY-----[\s\S]*?-----END \1PRIVATE KEY-----/

const keyIn = (text: string, certificates: readonly string[]): ShownKey | undefined => {
  const [pem] = keyPattern.exec(text) ?? []
  if (pem === undefined) return undefined
  if (pem.includes('ENCRYPTED')) return { type: 'encrypted' }
  try {
    const key = createPrivateKey(pem)
    const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
    const type = [key.asymmetricKeyType, modulusLength ?? namedCurve].filter((word) => word !== undefined).join(' ')
    const [first] = certificates
    return first === undefined ? { type } : { type, belongs: new X509Certificate(first).checkPrivateKey(key) }
  } catch {
    return { type: 'unreadable' }
  }
}

/** What is in a PEM text. Throws `tls.files`. */
const shownText = (source: string, text: string): Shown => {
  const pems = certificatesOf(text)
  const crls = text.includes('-----BEGIN X509 CRL-----') ? describeCrls(text) : []
  const key = keyIn(text, pems)
  if (pems.length === 0 && crls.length === 0 && key === undefined) {
    throw new RystraError('tls.files', {
      detail: `${source}: no certificate, revocation list or key in PEM`,
      hint: 'a file in DER is made PEM by `openssl x509 -inform der`'
    })
  }
  const certificates = pems.length === 0 ? [] : describeCertificate(text)
  const findings = [
    ...(pems.length === 0 ? [] : [certificates[0]?.authority === true ? checkAuthorities(text) : checkPair(text)]),
    ...(crls.length === 0 ? [] : [checkCrls(text)])
  ]
  const strange = key?.belongs === false ? ['the key does not belong to the certificate'] : []
  return {
    source,
    certificates,
    crls,
    ...(key === undefined ? {} : { key }),
    problems: [...findings.flatMap(({ problems }) => problems), ...strange],
    warnings: findings.flatMap(({ warnings }) => warnings)
  }
}

const isThere = async (path: string): Promise<boolean> => (await stat(path).catch(() => undefined)) !== undefined

/** Looks into a file, or at what a server shows. Rejects with `tls.*`, `connect.*` or `usage.invalid`. */
export const showCertificates = async (
  what: string,
  { serverName, timeout }: { serverName?: string | undefined; timeout: number }
): Promise<Shown> => {
  const looksLikeAddress = /^(?:[a-z][a-z0-9+.-]*:\/\/.+|[^/\\]+:\d{1,5})$/.test(what)
  if (!looksLikeAddress || (await isThere(what))) return shownText(what, await readText(what))
  const { pem, ...facts } = await presentedBy(parseServerAddress(what, 'the server'), serverName, timeout)
  if (pem === '') throw new RystraError('tls.handshake', { detail: `${what} showed no certificate` })
  return { ...shownText(what, pem), tls: facts }
}
