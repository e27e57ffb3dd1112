import { identityFault, RystraError } from '@rystra/plugin'
import { type Attribute, attributes, type CertificateFacts, type NameKind, nameKinds } from './certificate.js'

/** The values of a placeholder in the order of the certificate. */
type Values = (facts: CertificateFacts) => readonly string[]

const sources = new Map<string, Values>([
  ...attributes.map((name): [string, Values] => [`subject.${name}`, ({ subject }) => subject[name as Attribute] ?? []]),
  ...nameKinds.map((kind): [string, Values] => [`san.${kind}`, ({ names }) => names[kind as NameKind] ?? []]),
  ['fingerprint', ({ fingerprint }) => [fingerprint]],
  ['serial', ({ serial }) => [serial]]
])

/** The result of a template: an id, a refusal, or `undefined` when the certificate lacks a placeholder's value. */
export type Filled = { readonly id: string } | { readonly deny: string } | undefined

/** Values that matched the patterns of a rule, by placeholder. */
export type Chosen = ReadonlyMap<string, string>

/** Compiles an id template. Throws `extension.options` for unknown placeholders. */
export const template = (text: string, where: string): ((facts: CertificateFacts, chosen: Chosen) => Filled) => {
  const parts = text.split(/\{([^{}]*)\}/)
  const placeholders = parts.map((part, index) => {
    if (index % 2 === 0) {
      if (/[{}]/.test(part))
        throw new RystraError('extension.options', { detail: `${where}: unmatched brace in "${text}"` })
      return undefined
    }
    const values = sources.get(part)
    if (values !== undefined) return values
    throw new RystraError('extension.options', {
      detail: `${where}: unknown placeholder {${part}}: expected ${[...sources.keys()].map((name) => `{${name}}`).join(', ')}`
    })
  })
  return (facts, chosen) => {
    let id = ''
    for (const [index, part] of parts.entries()) {
      const values = placeholders[index]
      if (values === undefined) {
        id += part
        continue
      }
      const known = chosen.get(part)
      const [value, ...others] = known === undefined ? values(facts) : [known]
      if (value === undefined) return undefined
      // The choice must not depend on their order.
      if (others.length > 0) return { deny: `the certificate has several values of ${part}: select one in ${where}` }
      id += value
    }
    const fault = identityFault(id)
    return fault === undefined ? { id } : { deny: `identity from ${where} ${fault}` }
  }
}
