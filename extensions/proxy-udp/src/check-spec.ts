import { RystraError } from '@rystra/plugin'
import { parseLocal } from '@rystra/address'
import { udpForms } from '@rystra/udp'
import type { UdpSpec } from './spec.js'

/** Common fields that do not apply to UDP, and the reason. */
const inapplicable = {
  group: 'a UDP port cannot be shared by a group',
  healthCheck: 'a UDP service has no health check',
  proxyProtocol: 'datagrams have no stream header',
  idleTimeout: 'use `sessionTimeout`'
} as const

/** Refuses fields without effect with `proxy.invalid`. */
export const checkSpec = (spec: UdpSpec): void => {
  for (const [field, why] of Object.entries(inapplicable)) {
    if (spec[field] === undefined) continue
    throw new RystraError('proxy.invalid', {
      side: 'client',
      detail: `${spec.name}: \`${field}\` does not apply to udp: ${why}`
    })
  }
  parseLocal(spec, udpForms)
}
