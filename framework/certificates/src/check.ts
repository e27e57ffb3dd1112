import { createPrivateKey, X509Certificate } from 'node:crypto'
import { describeCrls } from './crl.js'
import { type CertificateDescription, describeCertificate } from './describe.js'
import { certificatesOf } from './pem.js'

/** What is wrong with certificates, in words that follow on the name of the file or field. */
export interface Findings {
  /** Reasons why it cannot work. */
  readonly problems: readonly string[]
  /** It works, but not for long, or not for all uses. */
  readonly warnings: readonly string[]
}

/** From when on an end is told: a month is enough to act, and shorter than what most certificates live. */
const warnDays = 30

const date = (iso: string): string => iso.slice(0, 10)
const days = (count: number): string => `${count} ${count === 1 ? 'day' : 'days'}`

const expiry = ({
  state,
  daysLeft,
  notAfter,
  notBefore
}: CertificateDescription): [problem?: string, warning?: string] => {
  if (state === 'expired') return [`expired on ${date(notAfter)}, ${days(-daysLeft)} ago`]
  if (state === 'not-yet-valid') return [`is not valid before ${notBefore}; check the clock`]
  return daysLeft < warnDays ? [undefined, `expires on ${date(notAfter)}, in ${days(daysLeft)}`] : []
}

const attempt = <T>(action: () => T): T | string => {
  try {
    return action()
  } catch (error) {
    const { detail, message } = error as { detail?: string; message: string }
    return `cannot be read: ${detail ?? message}`
  }
}

/** Looks at a certificate with its issuers, and at its key if that is given, as of `now` (ms). */
export const checkPair = (certPem: string, keyPem?: string, now: number = Date.now()): Findings => {
  const problems: string[] = []
  const warnings: string[] = []
  const chain = attempt(() => describeCertificate(certPem, now))
  if (typeof chain === 'string') return { problems: [`the certificate ${chain}`], warnings }
  const [leaf, ...issuers] = chain
  const [problem, warning] = leaf === undefined ? [] : expiry(leaf)
  if (problem !== undefined) problems.push(`the certificate ${problem}`)
  if (warning !== undefined) warnings.push(`the certificate ${warning}`)
  for (const one of issuers) {
    const found = expiry(one).find((text) => text !== undefined)
    if (found !== undefined) warnings.push(`its issuer ${one.subject} ${found}`)
  }
  if (keyPem !== undefined) {
    const matches = attempt(() =>
      new X509Certificate(certificatesOf(certPem)[0] ?? '').checkPrivateKey(createPrivateKey(keyPem))
    )
    if (typeof matches === 'string') problems.push(`the key ${matches}`)
    else if (!matches) problems.push('the key does not belong to the certificate')
  }
  return { problems, warnings }
}

/** Looks at the authorities of a PEM text, as of `now` (ms). One of several may have expired: new ones are added in time. */
export const checkAuthorities = (pem: string, now: number = Date.now()): Findings => {
  const all = attempt(() => describeCertificate(pem, now))
  if (typeof all === 'string') return { problems: [all], warnings: [] }
  const found = all.map((one) => ({ one, ...{ end: expiry(one) } }))
  const texts = found.flatMap(({ one, end }) =>
    end.filter((text) => text !== undefined).map((t) => `${one.subject} ${t}`)
  )
  const usable = found.some(({ end: [problem] }) => problem === undefined)
  return usable ? { problems: [], warnings: texts } : { problems: texts, warnings: [] }
}

/** Checks the revocation lists of a PEM text, as of `now` (ms). An expired list refuses every client of its authority. */
export const checkCrls = (pem: string, now: number = Date.now()): Findings => {
  const all = attempt(() => describeCrls(pem))
  if (typeof all === 'string') return { problems: [all], warnings: [] }
  const problems: string[] = []
  const warnings: string[] = []
  for (const { nextUpdate } of all) {
    if (nextUpdate === undefined) continue
    const left = Math.floor((Date.parse(nextUpdate) - now) / 86_400_000)
    if (left < 0) problems.push(`expired on ${date(nextUpdate)}: every client is refused`)
    else if (left < warnDays) warnings.push(`expires on ${date(nextUpdate)}, in ${days(left)}`)
  }
  return { problems, warnings }
}
