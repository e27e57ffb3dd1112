import { RystraError } from '@rystra/plugin'
import { parseLocal } from '@rystra/address'
import { udpForms } from '@rystra/udp'
import type { UdpSpec } from './spec.js'

/** Fields common to all kinds that mean nothing here, and what to do instead. */
const unfit = {
  group: 'a UDP port cannot be shared by a group',
  healthCheck: 'a UDP service cannot be asked whether it is well',
  proxyProtocol: 'there is no stream at whose head it could stand',
  idleTimeout: 'say `sessionTimeout`: streams are not what visitors have'
} as const

/** Refuses with `proxy.invalid` what would silently not be done. */
export const checkSpec = (spec: UdpSpec): void => {
  for (const [field, why] of Object.entries(unfit)) {
    if (spec[field] === undefined) continue
    throw new RystraError('proxy.invalid', { side: 'client', detail: `${spec.name}: no \`${field}\` for udp: ${why}` })
  }
  parseLocal(spec, udpForms)
}
