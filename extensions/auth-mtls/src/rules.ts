import { pattern } from '@rystra/address'
import type { Deny, Identity } from '@rystra/plugin'
import { type Attribute, type CertificateFacts, type NameKind, normalName } from './certificate.js'
import type { MtlsRule } from './options.js'
import { template } from './template.js'

/** Who a certificate is of: an identity, a refusal, or nothing when the rule does not fit. */
export type Rule = (facts: CertificateFacts) => { readonly identity: Identity } | Deny | undefined

/** The value that fits, and the placeholder that stands for it. `undefined`: none fits. */
type Condition = (facts: CertificateFacts) => readonly [placeholder: string, value: string] | undefined

const subjectCondition = (attribute: Attribute, text: string): Condition => {
  const fits = pattern(text)
  return ({ subject }) => {
    const value = subject[attribute]?.find(fits)
    return value === undefined ? undefined : [`subject.${attribute}`, value]
  }
}

const nameCondition = (text: string): Condition => {
  const colon = text.indexOf(':')
  const kind = text.slice(0, colon) as NameKind
  const fits = pattern(normalName(kind, text.slice(colon + 1)))
  return ({ names }) => {
    const value = names[kind]?.find(fits)
    return value === undefined ? undefined : [`san.${kind}`, value]
  }
}

/** 64 hexadecimal digits, lower case, of a fingerprint as people write it. */
export const plainFingerprint = (text: string): string =>
  text
    .replace(/^sha256:/, '')
    .replaceAll(':', '')
    .toLowerCase()

const fingerprintCondition = (text: string): Condition => {
  const expected = plainFingerprint(text)
  return ({ fingerprint }) => (fingerprint === expected ? ['fingerprint', fingerprint] : undefined)
}

/** Throws `extension.options` for an id that cannot be made. */
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
