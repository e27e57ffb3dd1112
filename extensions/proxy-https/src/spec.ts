import { endpointField, localForms } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'

/** A name, also in another script, or a wildcard. */
export const hostPattern = '^(\\*\\.)?[^\\s/:*@?#\\[\\]]{1,253}$'
const host = Type.String({ pattern: hostPattern })

/** The fields of an `https` proxy beside those common to all kinds. */
export const HttpsSpec = Type.Object({
  local: endpointField(
    localForms,
    'The service, which speaks TLS itself: `host:port`, a port of this machine, `unix:/path`, or `handler:name`.'
  ),
  host: Type.Optional(
    Type.Union([host, Type.Array(host, { minItems: 1, maxItems: 64 })], {
      description:
        'Host, or list of hosts, of the proxy: `app.example.org`, or `*.example.org` for all hosts below it. Default: the one of `subdomain`.'
    })
  ),
  subdomain: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
      description:
        'Label prepended to `baseDomain` of the server. Default: the name of the proxy, if `host` is not set.'
    })
  )
})
export type HttpsSpec = ProxySpec & Static<typeof HttpsSpec>
