import { endpointField, localForms } from '@rystra/address'
import { hostFields } from '@rystra/net'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'

/** The fields of an `https` proxy beside those common to all kinds. */
export const HttpsSpec = Type.Object({
  local: endpointField(
    localForms,
    'The service, which speaks TLS itself: `host:port`, a port of this machine, `unix:/path`, or `handler:name`.'
  ),
  ...hostFields
})
export type HttpsSpec = ProxySpec & Static<typeof HttpsSpec>
