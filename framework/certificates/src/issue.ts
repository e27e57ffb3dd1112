import { generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'
import { assemble, type Purpose, subjectOf, usages } from './assemble.js'
import { type Authority, openAuthority } from './authority.js'
import { invalid, shown } from './invalid.js'
import { commonName, generalNames } from './names.js'
import { type KeyPair, toPem } from './pem.js'

/** What a certificate is to say. */
export interface CertificateOptions {
  /** Subject common name, at most 64 characters. */
  readonly commonName: string
  /**
   * Subject alternative names: DNS names, IP addresses, `email:…`, `uri:…`.
   * @default none; for servers the common name, which has to be a DNS name or an IP address then
   */
  readonly names?: readonly string[]
  /**
   * Days for which it is valid, from an hour ago on (clocks differ). It never outlives its authority.
   * @default 397, which is what browsers accept; authorities and self-signed ones 3650
   */
  readonly days?: number
  /** Bits of an RSA key, 2048 to 8192. @default 2048; authorities 3072 */
  readonly bits?: number
  /** `ec` is ECDSA with P-256. @default rsa */
  readonly keyType?: 'rsa' | 'ec'
  /** When it begins to be valid, for tests and for machines whose clock is behind. @default an hour ago */
  readonly notBefore?: Date
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** A century: longer is a mistake. */
const mostDays = 36_500

const makeKeys = promisify(generateKeyPair)

interface Kind {
  readonly days: number
  readonly bits: number
  readonly usage: number
  readonly purposes?: readonly Purpose[]
  readonly authority: boolean
}

const whole = (what: string, value: number, least: number, most: number): number => {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw invalid(`${what} has to be a whole number from ${least} to ${most}, got ${shown(value)}`)
}

const validity = (options: CertificateOptions, kind: Kind, issuer: Authority | undefined): [Date, Date] => {
  const days = whole('days', options.days ?? kind.days, 1, mostDays)
  // Certificates know whole seconds only.
  const from = Math.floor((options.notBefore?.getTime() ?? Date.now() - HOUR_MS) / 1000) * 1000
  if (!(from >= 0)) throw invalid(`notBefore ${shown(options.notBefore)} is not a date from 1970 on`)
  const end = issuer === undefined ? Number.POSITIVE_INFINITY : Date.parse(issuer.certificate.validTo)
  const to = Math.min(from + days * DAY_MS, end)
  if (to <= from) {
    throw invalid('the authority is not valid any more', 'make a new authority: `rystra cert:ca`')
  }
  return [new Date(from), new Date(to)]
}

const make = async (options: CertificateOptions, kind: Kind, issuer?: Authority): Promise<KeyPair> => {
  const subject = subjectOf(commonName(options.commonName))
  const named = options.names ?? (kind.purposes?.includes('serverAuth') === true ? [options.commonName] : [])
  const names = generalNames(named)
  const [notBefore, notAfter] = validity(options, kind, issuer)
  const modulusLength = whole('bits', options.bits ?? kind.bits, 2048, 8192)
  const { publicKey, privateKey } =
    options.keyType === 'ec' ? await makeKeys('ec', { namedCurve: 'P-256' }) : await makeKeys('rsa', { modulusLength })
  const { purposes, authority } = kind
  // An EC key enciphers no other keys, RFC 8813 section 3.
  const usage = options.keyType === 'ec' ? kind.usage & ~keyEncipherment : kind.usage
  const der = await assemble({
    subject,
    names,
    notBefore,
    notAfter,
    publicKey,
    usage,
    ...(purposes === undefined ? {} : { purposes }),
    authority,
    ...(issuer === undefined ? {} : { issuer }),
    signer: issuer?.key ?? privateKey
  })
  return { cert: toPem('CERTIFICATE', der) + (issuer?.chain ?? ''), key: pkcs8(privateKey) }
}

const pkcs8 = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string

const { digitalSignature, keyEncipherment, keyCertSign, crlSign } = usages
const server: Kind = {
  days: 397,
  bits: 2048,
  usage: digitalSignature | keyEncipherment,
  purposes: ['serverAuth'],
  authority: false
}

/** An authority of one's own; it signs no other authorities (path length 0). Rejects with `cert.invalid`. */
export const makeAuthority = (options: CertificateOptions): Promise<KeyPair> =>
  make(options, { days: 3650, bits: 3072, usage: keyCertSign | crlSign, authority: true })

/** A certificate for a server, followed by its issuers. Rejects with `cert.invalid`. */
export const issueServer = async (authority: KeyPair, options: CertificateOptions): Promise<KeyPair> =>
  make(options, server, openAuthority(authority))

/** A certificate for a client, followed by its issuers. Rejects with `cert.invalid`. */
export const issueClient = async (authority: KeyPair, options: CertificateOptions): Promise<KeyPair> =>
  make(
    options,
    { days: 397, bits: 2048, usage: digitalSignature, purposes: ['clientAuth'], authority: false },
    openAuthority(authority)
  )

/** A certificate for a server that others dial and that dials others, followed by its issuers. Rejects with `cert.invalid`. */
export const issuePeer = async (authority: KeyPair, options: CertificateOptions): Promise<KeyPair> =>
  make(options, { ...server, purposes: ['serverAuth', 'clientAuth'] }, openAuthority(authority))

/** A certificate for a server that clients know by its fingerprint. Rejects with `cert.invalid`. */
export const selfSigned = (options: CertificateOptions): Promise<KeyPair> => make(options, { ...server, days: 3650 })
