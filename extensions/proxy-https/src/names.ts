import { domainToASCII } from 'node:url'

/**
 * A host, or a wildcard, in the form that certificates and ClientHellos have: lower case, no dot at the end, letters of
 * other scripts in punycode. `undefined` when it is no name.
 */
export const asciiHost = (host: string): string | undefined => {
  const [, wild = '', name = ''] = /^(\*\.)?(.*?)\.?$/.exec(host) ?? []
  const plain = domainToASCII(name)
  const fits =
    plain.length > 0 && plain.length <= 253 && plain.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label))
  return fits ? `${wild}${plain}` : undefined
}

/** `*.example.org` and `*.org` for `app.example.org`, the nearest first; for a wildcard those it is itself below. */
export const wildcardsOver = (host: string): string[] => {
  const wildcards: string[] = []
  const from = host.startsWith('*.') ? 2 : 0
  for (let dot = host.indexOf('.', from); dot !== -1; dot = host.indexOf('.', dot + 1)) {
    wildcards.push(`*${host.slice(dot)}`)
  }
  return wildcards
}
