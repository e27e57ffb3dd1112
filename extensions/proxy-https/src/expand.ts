import { RystraError } from '@rystra/plugin'
import { asciiHostPattern, parseLocal } from '@rystra/address'
import type { HttpsSpec } from './spec.js'

const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

const invalid = (spec: HttpsSpec, detail: string): RystraError =>
  new RystraError('proxy.invalid', { side: 'client', detail: `${spec.name}: ${detail}` })

/** What the client sends of an entry: names in the form of DNS, and the one that follows from the name of the proxy. Throws `proxy.invalid`. */
export const complete = (spec: HttpsSpec): HttpsSpec => {
  const { host, subdomain } = spec
  parseLocal(spec)
  const hosts = (host === undefined ? [] : Array.isArray(host) ? host : [host]).map((one) => {
    const ascii = asciiHostPattern(one)
    if (ascii === undefined) throw invalid(spec, `"${one}" is no host`)
    return ascii
  })
  const label = hosts.length === 0 && subdomain === undefined ? spec.name : subdomain
  if (label !== undefined && !LABEL.test(label)) {
    throw invalid(spec, 'the name is no subdomain, so one of `host` and `subdomain` is needed')
  }
  return {
    ...spec,
    ...(hosts.length === 0 ? {} : { host: [...new Set(hosts)] }),
    ...(label === undefined ? {} : { subdomain: label.toLowerCase() })
  }
}
