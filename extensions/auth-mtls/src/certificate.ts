import { asciiOf, type Element, inside, oidOf, serialOf, signedOf, Tag, textOf, timeOf } from '@rystra/tls'
import { X509Certificate } from 'node:crypto'

/** Subject attributes for rules. */
export const attributes = ['CN', 'O', 'OU', 'C', 'L', 'ST', 'DC', 'UID', 'serialNumber', 'emailAddress'] as const
export type Attribute = (typeof attributes)[number]

/** Kinds of alternative names for rules. */
export const nameKinds = ['email', 'dns', 'uri'] as const
export type NameKind = (typeof nameKinds)[number]

const attributeOids: Readonly<Record<string, Attribute>> = {
  '2.5.4.3': 'CN',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.5': 'serialNumber',
  '0.9.2342.19200300.100.1.25': 'DC',
  '0.9.2342.19200300.100.1.1': 'UID',
  '1.2.840.113549.1.9.1': 'emailAddress'
}

/** GeneralName, RFC 5280 section 4.2.1.6: rfc822Name, dNSName, uniformResourceIdentifier. */
const nameTags: Readonly<Record<number, NameKind>> = { 129: 'email', 130: 'dns', 134: 'uri' }

const SUBJECT_ALT_NAME = '2.5.29.17'

/** The fields of a certificate for rules and revocation. */
export interface CertificateFacts {
  readonly x509: X509Certificate
  /** SHA-256 of the DER, 64 lower-case hexadecimal digits. */
  readonly fingerprint: string
  /** Lower-case hexadecimal without leading zeros. */
  readonly serial: string
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
  /** Values in the order of the certificate. */
  readonly subject: Readonly<Partial<Record<Attribute, readonly string[]>>>
  readonly names: Readonly<Partial<Record<NameKind, readonly string[]>>>
}

/**
 * Normalises case: host names are compared in lower case, in a dns name and behind the `@` of an address. Other parts
 * are case-sensitive.
 */
export const normalName = (kind: NameKind, value: string): string => {
  if (kind === 'dns') return value.toLowerCase()
  if (kind !== 'email') return value
  const at = value.lastIndexOf('@')
  return value.slice(0, at + 1) + value.slice(at + 1).toLowerCase()
}

type Lists<Key extends string> = Partial<Record<Key, string[]>>

const add = <Key extends string>(lists: Lists<Key>, key: Key, value: string): void => {
  const list = lists[key]
  if (list === undefined) lists[key] = [value]
  else list.push(value)
}

const subjectOf = (name: Element): Lists<Attribute> => {
  const found: Lists<Attribute> = {}
  for (const sets = inside(name); sets.more; ) {
    for (const set = inside(sets.take(Tag.set)); set.more; ) {
      const pair = inside(set.take(Tag.sequence))
      const attribute = attributeOids[oidOf(pair.take(Tag.oid))]
      const value = textOf(pair.next())
      if (attribute !== undefined && value !== undefined) add(found, attribute, value)
    }
  }
  return found
}

const namesOf = (value: Element): Lists<NameKind> => {
  const found: Lists<NameKind> = {}
  for (const names = inside(inside(value).take(Tag.sequence)); names.more; ) {
    const { tag, content } = names.next()
    const kind = nameTags[tag]
    const text = asciiOf(content)
    if (kind !== undefined && text !== undefined) add(found, kind, normalName(kind, text))
  }
  return found
}

const alternativeNames = (extensions: Element | undefined): Lists<NameKind> => {
  if (extensions === undefined) return {}
  for (const list = inside(inside(extensions).take(Tag.sequence)); list.more; ) {
    const extension = inside(list.take(Tag.sequence))
    const oid = oidOf(extension.take(Tag.oid))
    extension.optional(Tag.boolean)
    const value = extension.take(Tag.octetString)
    if (oid === SUBJECT_ALT_NAME) return namesOf(value)
  }
  return {}
}

/** Parses a certificate (RFC 5280 section 4.1) that the transport has verified. Throws for malformed bytes. */
export const readCertificate = (der: Uint8Array): CertificateFacts => {
  const x509 = new X509Certificate(der)
  const body = inside(signedOf(der).body)
  body.optional(0xa0)
  const serial = serialOf(body.take(Tag.integer))
  body.take(Tag.sequence)
  body.take(Tag.sequence)
  const validity = inside(body.take(Tag.sequence))
  const [notBefore, notAfter] = [timeOf(validity.next()), timeOf(validity.next())]
  const subject = subjectOf(body.take(Tag.sequence))
  body.take(Tag.sequence)
  body.optional(0x81, 0xa1)
  body.optional(0x82, 0xa2)
  return {
    x509,
    fingerprint: x509.fingerprint256.replaceAll(':', '').toLowerCase(),
    serial,
    notBefore,
    notAfter,
    subject,
    names: alternativeNames(body.optional(0xa3))
  }
}
