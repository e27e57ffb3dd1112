import { addressBytes } from '@rystra/address'
import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { invalid, shown } from './invalid.js'

/** More names than this are a mistake; public authorities draw the same line. */
const mostNames = 100
/** RFC 5280, ub-common-name, in characters. */
const longestCommonName = 64

/**
 * What writes nothing, breaks lines or turns the writing around, so that a name would show as another. Joiners and
 * variation selectors are left: some scripts cannot do without them.
 */
const unseen =
  /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]|(?!\u200c|\u200d|[\ufe00-\ufe0f])\p{Default_Ignorable_Code_Point}/u

/** A subject alternative name as it is written into a certificate: the tag of RFC 5280 §4.2.1.6, and its bytes. */
export interface GeneralName {
  readonly tag: 1 | 2 | 6 | 7
  readonly bytes: Uint8Array
}

/** Checks a common name. Throws `cert.invalid`. */
export const commonName = (text: unknown): string => {
  if (typeof text !== 'string' || text.trim() === '') throw invalid('the common name is empty')
  if (unseen.test(text)) throw invalid(`the common name ${shown(text)} has control characters`)
  if (text !== text.trim()) throw invalid(`the common name ${shown(text)} begins or ends with a space`)
  if ([...text].length > longestCommonName) {
    throw invalid(`the common name ${shown(text)} is longer than ${longestCommonName} characters`)
  }
  return text
}

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/

/** The ASCII form (IDNA) of a DNS name, whose first label may be `*`; `undefined` for other text. */
const dnsName = (text: string): string | undefined => {
  const [, star = '', rest = ''] = /^(\*\.)?(.*?)\.?$/s.exec(text) ?? []
  if (unseen.test(rest)) return undefined
  const ascii = domainToASCII(rest)
  // Numbers alone would be read as an address by some.
  const good =
    ascii !== '' &&
    isIP(ascii) === 0 &&
    star.length + ascii.length <= 253 &&
    ascii.split('.').every((one) => label.test(one))
  return good && !(star !== '' && !ascii.includes('.')) ? star + ascii : undefined
}

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const email = (text: string): Uint8Array | undefined => {
  const [, local = '', domain = ''] = /^([\w.!#$%&'*+/=?^`{|}~-]{1,64})@([^@]+)$/.exec(text) ?? []
  const host = dnsName(domain)
  return local === '' || host === undefined || host.startsWith('*') ? undefined : ascii(`${local}@${host}`)
}

const uri = (text: string): Uint8Array | undefined =>
  /^[A-Za-z][A-Za-z\d+.-]*:[\x21-\x7e]+$/.test(text) && text.length <= 2048 && URL.canParse(text)
    ? ascii(text)
    : undefined

/** Reads `example.org`, `*.example.org`, `192.0.2.1`, `2001:db8::1`, `email:…` or `uri:…`. Throws `cert.invalid`. */
const generalName = (text: unknown): GeneralName => {
  if (typeof text !== 'string' || text === '') throw invalid('a name is empty')
  const [, kind = '', rest = ''] = /^(email|uri|dns|ip):(.*)$/is.exec(text) ?? ['', '', text]
  const wanted = kind.toLowerCase()
  const none = (what: string) => invalid(`invalid ${what} ${shown(text)}`)
  if (wanted === 'email' || wanted === 'uri') {
    const bytes = wanted === 'email' ? email(rest) : uri(rest)
    if (bytes === undefined) throw none(wanted === 'email' ? 'email address' : 'URI')
    return { tag: wanted === 'email' ? 1 : 6, bytes }
  }
  if (wanted !== 'dns' && isIP(rest) !== 0 && !rest.includes('%')) return { tag: 7, bytes: addressBytes(rest) }
  const dns = wanted === 'ip' ? undefined : dnsName(rest)
  if (dns === undefined) throw none(wanted === 'ip' ? 'IP address' : 'DNS name, IP address, email:… or uri:…')
  return { tag: 2, bytes: ascii(dns) }
}

/** All of them, each once. */
export const generalNames = (names: readonly string[]): GeneralName[] => {
  if (names.length > mostNames) throw invalid(`${names.length} names; ${mostNames} are the most`)
  const found = names.map(generalName)
  const key = ({ tag, bytes }: GeneralName): string => `${tag} ${Buffer.from(bytes).toString('latin1')}`
  return [...new Map(found.map((one) => [key(one), one])).values()]
}
