import type { CertificateDescription, CrlDescription } from '@rystra/certificates'
import type { Shown } from './show.js'

type Row = readonly [name: string, value: string]

const table = (rows: readonly Row[]): string =>
  rows
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `  ${name.padEnd(12)} ${value}`)
    .join('\n')

const day = (iso: string): string => iso.slice(0, 10)

const untilText = ({ state, daysLeft }: CertificateDescription): string => {
  if (state === 'expired') return `EXPIRED ${-daysLeft} ${daysLeft === -1 ? 'day' : 'days'} ago`
  if (state === 'not-yet-valid') return 'NOT YET VALID'
  return `${daysLeft} ${daysLeft === 1 ? 'day' : 'days'} left`
}

const certificateRows = (one: CertificateDescription): Row[] => [
  ['subject', one.subject],
  ['names', one.names.join(', ')],
  ['issuer', one.selfSigned ? 'itself' : one.issuer],
  ['valid', `${day(one.notBefore)} to ${day(one.notAfter)}, ${untilText(one)}`],
  ['key', one.key],
  ['usages', [...(one.authority ? ['authority'] : []), ...one.usages].join(', ')],
  ['serial', one.serial],
  ['fingerprint', one.fingerprint]
]

/** More are counted, not listed. */
const mostListed = 50

const crlRows = ({ number, thisUpdate, nextUpdate, revoked }: CrlDescription): Row[] => [
  ['number', number ?? ''],
  ['made', thisUpdate],
  ['good until', nextUpdate === undefined ? '' : day(nextUpdate)],
  ['revoked', revoked.length === 0 ? 'none' : String(revoked.length)],
  ...revoked
    .slice(0, mostListed)
    .map(({ serial, at, reason }): Row => ['', `${serial} on ${day(at)}${reason === undefined ? '' : `, ${reason}`}`])
]

/** For people. */
export const shownText = ({ source, certificates, crls, key, tls, problems, warnings }: Shown): string => {
  const count = certificates.length
  const belongs =
    key?.belongs === undefined ? '' : key.belongs ? ', belongs to the certificate' : ', OF ANOTHER CERTIFICATE'
  return [
    tls === undefined
      ? source
      : `${source}, ${tls.version}, ${tls.cipher}, ALPN ${tls.alpn ?? 'none'}. Nothing of this was verified.`,
    ...certificates.map(
      (one, index) => `\ncertificate${count > 1 ? ` ${index + 1} of ${count}` : ''}\n${table(certificateRows(one))}`
    ),
    ...crls.map((one) => `\nrevocation list\n${table(crlRows(one))}`),
    ...(key === undefined ? [] : [`\nprivate key\n  ${key.type}${belongs}`]),
    ...(problems.length + warnings.length === 0 ? [] : ['']),
    ...problems.map((text) => `Problem: ${text}.`),
    ...warnings.map((text) => `Warning: ${text}.`)
  ].join('\n')
}

/** What a certificate that was made is, in a few words. */
export const madeText = ({ notAfter, key, names }: CertificateDescription): string =>
  `${key}, valid until ${day(notAfter)}${names.length === 0 ? '' : `, for ${names.join(', ')}`}`
