import { identityFault, RystraError } from '@rystra/plugin'
import { type Attribute, attributes, type CertificateFacts, type NameKind, nameKinds } from './certificate.js'

/** Where the text for a placeholder comes from: all there is, in the order of the certificate. */
type Values = (facts: CertificateFacts) => readonly string[]

const sources = new Map<string, Values>([
  ...attributes.map((name): [string, Values] => [`subject.${name}`, ({ subject }) => subject[name as Attribute] ?? []]),
  ...nameKinds.map((kind): [string, Values] => [`san.${kind}`, ({ names }) => names[kind as NameKind] ?? []]),
  ['fingerprint', ({ fingerprint }) => [fingerprint]],
  ['serial', ({ serial }) => [serial]]
])

/** What a template makes of a certificate: an id, or `deny`, or nothing where the certificate lacks what it names. */
export type Filled = { readonly id: string } | { readonly deny: string } | undefined

/** Values that a rule has chosen by its patterns, by the name of the placeholder. */
export type Chosen = ReadonlyMap<string, string>

/** Makes ids. Throws `extension.options` for placeholders that there are not. */
export const template = (text: string, where: string): ((facts: CertificateFacts, chosen: Chosen) => Filled) => {
  const parts = text.split(/\{([^{}]*)\}/)
  const placeholders = parts.map((part, index) => {
    if (index % 2 === 0) {
      if (/[{}]/.test(part))
        throw new RystraError('extension.options', { detail: `${where}: a lone brace in "${text}"` })
      return undefined
    }
    const values = sources.get(part)
    if (values !== undefined) return values
    throw new RystraError('extension.options', {
      detail: `${where}: no {${part}}; there are ${[...sources.keys()].map((name) => `{${name}}`).join(', ')}`
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
      // Which of them is meant must not depend on their order.
      if (others.length > 0) return { deny: `the certificate has several values of ${part}; say in ${where} which` }
      id += value
    }
    const fault = identityFault(id)
    return fault === undefined ? { id } : { deny: `the identity that ${where} makes of the certificate ${fault}` }
  }
}
