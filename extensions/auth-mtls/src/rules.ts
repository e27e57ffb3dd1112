import { pattern } from '@rystra/address'
import type { Deny, Identity } from '@rystra/plugin'
import { type Attribute, type CertificateFacts, type NameKind, normalName } from './certificate.js'
import type { MtlsRule } from './options.js'
import { template } from './template.js'

/** Maps a certificate to an identity, a refusal, or `undefined` when the rule does not match. */
export type Rule = (facts: CertificateFacts) => { readonly identity: Identity } | Deny | undefined

/** The matching value and its placeholder. `undefined`: no match. */
type Condition = (facts: CertificateFacts) => readonly [placeholder: string, value: string] | undefined

const subjectCondition = (attribute: Attribute, text: string): Condition => {
  const matches = pattern(text)
  return ({ subject }) => {
    const value = subject[attribute]?.find(matches)
    return value === undefined ? undefined : [`subject.${attribute}`, value]
  }
}

const nameCondition = (text: string): Condition => {
  const colon = text.indexOf(':')
  const kind = text.slice(0, colon) as NameKind
  const matches = pattern(normalName(kind, text.slice(colon + 1)))
  return ({ names }) => {
    const value = names[kind]?.find(matches)
    return value === undefined ? undefined : [`san.${kind}`, value]
  }
}

/** The 64 lower-case hexadecimal digits of a configured fingerprint. */
export const plainFingerprint = (text: string): string =>
  text
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
    .toLowerCase()

const fingerprintCondition = (text: string): Condition => {
  const expected = plainFingerprint(text)
  return ({ fingerprint }) => (fingerprint === expected ? ['fingerprint', fingerprint] : undefined)
}

/** Throws `extension.options` for an invalid id template. */
export const compileRule = ({ id, subject = {}, san, fingerprint, rights }: MtlsRule, where: string): Rule => {
  const conditions = Object.entries(subject).map(([name, text]) => subjectCondition(name as Attribute, text as string))
  if (san !== undefined) conditions.push(nameCondition(san))
  if (fingerprint !== undefined) conditions.push(fingerprintCondition(fingerprint))
  const fill = template(id, `${where}.id`)
  return (facts) => {
    const chosen = new Map<string, string>()
    for (const condition of conditions) {
      const found = condition(facts)
      if (found === undefined) return undefined
      chosen.set(...found)
    }
    const filled = fill(facts, chosen)
    if (filled === undefined || 'deny' in filled) return filled
    return { identity: { id: filled.id, ...(rights === undefined ? {} : { rights }) } }
  }
}
