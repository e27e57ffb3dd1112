import { type Element, elementsOf, GENERALIZED_TIME, INTEGER, insideOf, SEQUENCE, UTC_TIME } from './der.js'

const VERSION = 0xa0

const PEM = /-----BEGIN X509 CRL-----([^-]*)-----END X509 CRL-----/g

interface List {
  /** DER of the name, RFC 5280 section 5.1.2.3. */
  readonly issuer: Buffer
  readonly serials: ReadonlySet<string>
  /** Milliseconds since the epoch; infinite if the list does not say. */
  readonly ends: number
}

const timeOf = ({ tag, content }: Element): number => {
  const text = content.toString('latin1')
  // RFC 5280 section 4.1.2.5.1
  const full = tag === GENERALIZED_TIME ? text : `${Number(text.slice(0, 2)) < 50 ? '20' : '19'}${text}`
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? []
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

const isTime = ({ tag }: Element): boolean => tag === UTC_TIME || tag === GENERALIZED_TIME

/** RFC 5280 section 5.1. The file is the administrator's: its signature is not looked at. */
const readList = (der: Buffer): List => {
  const [signed] = insideOf(der)
  const parts = elementsOf(signed?.content ?? Buffer.alloc(0))
  if (parts[0]?.tag === INTEGER) parts.shift()
  const [, issuer] = parts
  const times = parts.filter(isTime)
  if (issuer === undefined || times[0] === undefined) throw new RangeError('not a revocation list')
  const last = parts.lastIndexOf(times.at(-1) as Element)
  const revoked = parts[last + 1]?.tag === SEQUENCE ? elementsOf((parts[last + 1] as Element).content) : []
  return {
    issuer: issuer.content,
    serials: new Set(revoked.map((entry) => elementsOf(entry.content)[0]?.content.toString('hex') ?? '')),
    ends: times[1] === undefined ? Number.POSITIVE_INFINITY : timeOf(times[1])
  }
}

/** What is wrong with a certificate by the lists, as Node names it. */
export type Revocation = 'CERT_REVOKED' | 'UNABLE_TO_GET_CRL' | 'CRL_HAS_EXPIRED'

/** Revocation lists, PEM. quiche has no way to give them to BoringSSL, so they are read here. */
export class Revocations {
  readonly #lists: readonly List[]

  /** Throws on what is no list. */
  constructor(pem: string) {
    this.#lists = [...pem.matchAll(PEM)].map(([, body = '']) => readList(Buffer.from(body, 'base64')))
  }

  /** @param certificate DER. Who is on no list must be on none that counts: without one nobody is let in. */
  check(certificate: Uint8Array, now = Date.now()): Revocation | undefined {
    const [signed] = insideOf(Buffer.from(certificate))
    const parts = elementsOf(signed?.content ?? Buffer.alloc(0))
    if (parts[0]?.tag === VERSION) parts.shift()
    const [serial, , issuer] = parts
    const lists = this.#lists.filter((list) => issuer !== undefined && list.issuer.equals(issuer.content))
    if (lists.some(({ serials }) => serials.has(serial?.content.toString('hex') ?? ''))) return 'CERT_REVOKED'
    if (lists.length === 0) return 'UNABLE_TO_GET_CRL'
    // NaN, a time that cannot be read, is over too.
    return lists.some(({ ends }) => ends > now) ? undefined : 'CRL_HAS_EXPIRED'
  }
}
